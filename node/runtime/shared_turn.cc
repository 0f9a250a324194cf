#include "node/runtime/shared_turn.h"

#include <poll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "node/runtime/clock.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

timespec timespec_of(Duration time) { return {time.to_seconds(), time.ns % 1'000'000'000}; }

}  // namespace

// Of the clock that Instants are of.
SharedTurn::SharedTurn() : timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  SHOAL_ASSERT(timer_);
}

void SharedTurn::end(Lock lock, Instant until) {
  SHOAL_ASSERT(lock.owns_lock());
  sleeps_until_ = next_turn_ = until;
  wake_up_.sleep();
  lock.unlock();
}

void SharedTurn::sleep() {
  const Duration left = sleeps_until_ - mono_now();
  if (left.ns <= 0) return;
  const timespec timeout = timespec_of(left);
  std::array<pollfd, 2> ready{pollfd{wake_up_.fd(), POLLIN, 0}, pollfd{timer_.get(), POLLIN, 0}};
  if (::ppoll(ready.data(), ready.size(), &timeout, nullptr) <= 0) return;
  if (ready[0].revents != 0) wake_up_.clear();
  uint64_t expirations = 0;
  if (ready[1].revents != 0) {
    // Moved meanwhile, it has nothing to be read.
    [[maybe_unused]] const auto got = ::read(timer_.get(), &expirations, sizeof expirations);
  }
}

void SharedTurn::end_as_guest(Lock lock, Instant due) {
  SHOAL_ASSERT(lock.owns_lock());
  if (due >= next_turn_) return;
  next_turn_ = due;
  // Zero would stop it.
  const itimerspec at{{}, timespec_of({std::max<int64_t>(1, due.ns)})};
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
}

}  // namespace shoal
