#include "tests/scale/sim_thread.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace shoal::scale {
namespace {

constexpr Duration kWake{30'000};
// So many that time moves on within a backlog.
constexpr size_t kTurnTasks = 64;

Duration processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return {int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

}  // namespace

void SimThread::post(std::function<void()> task) {
  inbox_.push_back(std::move(task));
  schedule();
}

void SimThread::stop() {
  ++life_;
  inbox_.clear();
  is_scheduled_ = false;
}

void SimThread::schedule() {
  if (inbox_.empty() || std::exchange(is_scheduled_, true)) return;
  world_.at(std::max(world_.now() + kWake, free_at_), [this, life = life_] {
    if (life == life_) run();
  });
}

void SimThread::run() {
  is_scheduled_ = false;
  const Duration before = processor_time();
  for (size_t i = 0; i < kTurnTasks && !inbox_.empty(); ++i) {
    const std::function<void()> task = std::move(inbox_.front());
    inbox_.pop_front();
    task();
  }
  turn_.end();
  const Duration used = processor_time() - before;
  worked_ = worked_ + used;
  free_at_ =
      world_.now() + Duration{static_cast<int64_t>(static_cast<double>(used.ns) * slowness_)};
  turn_.carry(free_at_);
  schedule();
}

}  // namespace shoal::scale
