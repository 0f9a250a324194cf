#include "node/runtime/poller.h"

#include <algorithm>

#include "shoal/assert.h"

namespace shoal {

Poller::Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) { SHOAL_ASSERT(fd_); }

void Poller::add(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  SHOAL_ASSERT(::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Poller::change(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  SHOAL_ASSERT(::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Poller::remove(int fd) { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  const int count = ::epoll_wait(fd_.get(), events_.data(), kEvents, timeout_ms);
  return std::span(events_).first(static_cast<size_t>(std::max(count, 0)));
}

}  // namespace shoal
