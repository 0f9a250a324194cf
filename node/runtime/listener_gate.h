// A listening TCP socket that several workers poll: it listens as long as one of them accepts.
//
// A socket that nobody accepts from takes connections all the same, and a balancer takes that for a
// server that answers. One that does not listen refuses them, and the balancer goes elsewhere at once.
#pragma once

#include <sys/socket.h>

#include <mutex>

namespace shoal {

class ListenerGate {
 public:
  explicit ListenerGate(int fd);  // it listens; not owned

  // Any thread.
  // One more accepts. 0, or the error where it listened no more and cannot again.
  int enter();
  // One less. After the last, connections are refused, and reset that wait to be accepted.
  void leave();

 private:
  const int fd_;
  sockaddr_storage address_{};
  socklen_t address_size_ = sizeof address_;
  std::mutex mutex_;
  int accepting_ = 0;
  bool is_open_ = true;
};

}  // namespace shoal
