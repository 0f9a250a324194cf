// An epoll set: who is ready, told by a number that the caller chose.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "node/runtime/file_descriptor.h"

namespace shoal {

class Poller {
 public:
  Poller();

  // `events` as epoll has them, level-triggered unless they say otherwise.
  void add(int fd, uint32_t events, uint64_t tag);
  void change(int fd, uint32_t events, uint64_t tag);
  void remove(int fd);

  // At most kEvents at a time, so that mail and ticks come between; -1 waits without end.
  std::span<const epoll_event> wait(int timeout_ms);

 private:
  static constexpr int kEvents = 256;

  FileDescriptor fd_;
  std::array<epoll_event, kEvents> events_;
};

}  // namespace shoal
