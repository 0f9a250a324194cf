// Deadlines that all lie equally far ahead, so that they come due in the order they were set: a queue
// is all it takes. Nothing is cancelled; who is gone when its time comes is skipped by its generation.
#pragma once

#include <deque>
#include <optional>

#include "node/runtime/socket_table.h"
#include "shoal/types.h"

namespace shoal {

class DeadlineQueue {
 public:
  struct Entry {
    SocketRef socket;
    Instant at;
  };

  void add(SocketRef socket, Instant at) { entries_.push_back({socket, at}); }
  std::optional<Entry> take_due(Instant now) {
    if (entries_.empty() || entries_.front().at > now) return std::nullopt;
    const Entry entry = entries_.front();
    entries_.pop_front();
    return entry;
  }

 private:
  std::deque<Entry> entries_;
};

}  // namespace shoal
