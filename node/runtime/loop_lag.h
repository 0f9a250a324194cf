// How long a worker's turns take: what an event waits that comes while one runs. Powers of two of a
// microsecond, plain numbers of one thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "shoal/types.h"

namespace shoal {

class LoopLag {
 public:
  static constexpr size_t kBuckets = 24;  // the last is open: from 2^22 us, four seconds

  void add(Duration turn) {
    const auto us = static_cast<uint64_t>(turn.ns > 0 ? turn.ns / 1000 : 0);
    const size_t bucket = static_cast<size_t>(std::bit_width(us));
    ++counts_[bucket < kBuckets ? bucket : kBuckets - 1];
    sum_ns_ += static_cast<uint64_t>(turn.ns > 0 ? turn.ns : 0);
  }
  // Turns of less than 2^bucket microseconds that no bucket before counts.
  uint64_t count(size_t bucket) const { return counts_[bucket]; }
  uint64_t sum_ns() const { return sum_ns_; }

 private:
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t sum_ns_ = 0;
};

}  // namespace shoal
