// Wakes a thread that sleeps in epoll_wait or in an Asio loop; costs a system call only when it does
// sleep.
//
// The reader says sleep(), then looks once more for mail, then sleeps, then says awake(). A sender
// adds its mail, then calls wake(). All of these are sequentially consistent, so that one of the two
// sees the other.
#pragma once

#include <atomic>

namespace shoal {

class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  int fd() const { return fd_; }  // readable after a wake()

  void sleep() { asleep_.store(true, std::memory_order_seq_cst); }
  void awake() { asleep_.store(false, std::memory_order_seq_cst); }
  void clear();  // after fd() was readable

  // Any thread.
  bool is_asleep() const { return asleep_.load(std::memory_order_seq_cst); }
  void wake() {
    if (is_asleep() && asleep_.exchange(false)) signal();
  }

 private:
  void signal();

  const int fd_;
  std::atomic<bool> asleep_{false};
};

}  // namespace shoal
