// The turns of a thread that owns a state machine and mostly sleeps, done by whoever has something for
// it: a turn of some microseconds costs less than to wake that thread, let alone to wait for its answer.
//
// Whoever does a turn has the lock; the owner has it whenever it is awake, and takes its mail only with
// it. So a guest that gets the lock and finds the mailbox empty comes behind all that it ever posted. A
// guest that does not posts: the owner says that it sleeps before it lets go of the lock, and looks for
// mail after that (wake_up.h), so either it sees the mail or the guest wakes it.
//
// What is due after a guest's turn the owner still sees to. It sleeps in poll on a timer too, which the guest
// moves if it must be earlier: a system call, and no thread is woken before there is something to do.
#pragma once

#include <mutex>

#include "node/runtime/file_descriptor.h"
#include "node/runtime/wake_up.h"
#include "shoal/types.h"

namespace shoal {

class SharedTurn {
 public:
  using Lock = std::unique_lock<std::mutex>;

  SharedTurn();

  WakeUp& wake_up() { return wake_up_; }

  // ---- the owner: begin(), its turn, end(); unless there is mail then, sleep(); awake()
  Lock begin() { return Lock(mutex_); }
  void end(Lock lock, Instant until);
  void sleep();
  void awake() { wake_up_.awake(); }

  // ---- a guest, on any other thread
  // Nobody's, if another has the turn, or the owner comes for it: it must not have to wait for many.
  Lock try_begin() { return wake_up_.is_asleep() ? Lock(mutex_, std::try_to_lock) : Lock(); }
  // `due`: when the owner has to do a turn at the latest.
  void end_as_guest(Lock lock, Instant due);

 private:
  WakeUp wake_up_;
  const FileDescriptor timer_;
  std::mutex mutex_;
  Instant next_turn_{};     // with the lock: the owner's, if nothing wakes it
  Instant sleeps_until_{};  // the owner's alone
};

}  // namespace shoal
