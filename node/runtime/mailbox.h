// Values posted to a thread by others, in order for each sender. Many senders, one reader, one lock
// a batch; the reader is woken only when it sleeps, once for all that came meanwhile.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "node/runtime/wake_up.h"

namespace shoal {

template <class Mail>
class Mailbox {
 public:
  explicit Mailbox(WakeUp& reader) : reader_(reader) {}

  // Any thread.
  void post(Mail mail) {
    {
      const std::lock_guard lock(mutex_);
      mail_.push_back(std::move(mail));
      has_mail_.store(true, std::memory_order_seq_cst);
    }
    reader_.wake();
  }
  // What nobody waits for: read when the reader is awake the next time.
  void leave(Mail mail) {
    const std::lock_guard lock(mutex_);
    mail_.push_back(std::move(mail));
    has_mail_.store(true, std::memory_order_seq_cst);
  }
  // Takes all of `mails` and leaves it empty.
  void post_all(std::vector<Mail>& mails) {
    if (mails.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      for (Mail& mail : mails) mail_.push_back(std::move(mail));
      has_mail_.store(true, std::memory_order_seq_cst);
    }
    mails.clear();
    reader_.wake();
  }

  // The reader.
  bool has_mail() const { return has_mail_.load(std::memory_order_seq_cst); }
  // Swaps what came into `mails`, which is empty; its memory serves the next batch.
  void take(std::vector<Mail>& mails) {
    if (!has_mail_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    mails.swap(mail_);
    has_mail_.store(false, std::memory_order_seq_cst);
  }

 private:
  WakeUp& reader_;
  std::mutex mutex_;
  std::vector<Mail> mail_;
  std::atomic<bool> has_mail_{false};
};

}  // namespace shoal
