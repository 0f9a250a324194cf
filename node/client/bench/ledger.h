// What was sent and what came: finds messages that are lost, doubled or out of order. A publisher's
// messages are numbered from 1. One thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace shoal::bench {

struct Verdict {
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t out_of_order = 0;
};

// The numbers of one publisher as one receiver (or one group of sharers) saw them. Memory follows
// the gaps, not the messages.
class Sequence {
 public:
  enum class Seen : uint8_t { kNext, kAhead, kLate, kAgain };

  Seen add(uint64_t number) {
    if (number == highest_ + 1) {
      ++highest_;
      return Seen::kNext;
    }
    if (number > highest_) {
      for (uint64_t missing = highest_ + 1; missing < number; ++missing) missing_[missing] = true;
      highest_ = number;
      return Seen::kAhead;
    }
    return missing_.erase(number) != 0 ? Seen::kLate : Seen::kAgain;
  }
  // How many of 1 to `sent` never came.
  uint64_t lost(uint64_t sent) const {
    return missing_.size() + (sent > highest_ ? sent - highest_ : 0);
  }

 private:
  uint64_t highest_ = 0;
  std::unordered_map<uint64_t, bool> missing_;
};

}  // namespace shoal::bench
