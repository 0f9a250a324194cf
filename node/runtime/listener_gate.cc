#include "node/runtime/listener_gate.h"

#include <cerrno>

#include "node/runtime/listening_socket.h"

namespace shoal {

ListenerGate::ListenerGate(int fd) : fd_(fd) {
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &address_size_);
}

int ListenerGate::enter() {
  const std::lock_guard lock(mutex_);
  if (!is_open_) {
    // Linux kept a port that was asked for, and this fails; a port that it chose it took back.
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&address_), address_size_);
    if (::listen(fd_, kListenBacklog) != 0) return errno;
    is_open_ = true;
  }
  ++accepting_;
  return 0;
}

void ListenerGate::leave() {
  const std::lock_guard lock(mutex_);
  if (--accepting_ != 0) return;
  // Not closed, as its number is everywhere: on Linux this ends the listening, and listen() resumes.
  ::shutdown(fd_, SHUT_RD);
  is_open_ = false;
}

}  // namespace shoal
