// A histogram of times with buckets of at most 1.6 % width (log-linear, 64 per doubling): exact
// enough for percentiles, and an addition costs a few instructions. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "shoal/types.h"

namespace shoal::bench {

class Histogram {
 public:
  void add(Duration value) {
    ++counts_[bucket_of(static_cast<uint64_t>(value.ns < 0 ? 0 : value.ns))];
    ++count_;
    if (max_ < value) max_ = value;
  }
  uint64_t count() const { return count_; }
  Duration max() const { return max_; }

  // The upper edge of the bucket that reaches this share of the values, 0 < share <= 1.
  Duration at(double share) const {
    const double wanted = share * static_cast<double>(count_);
    uint64_t sum = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      sum += counts_[i];
      if (sum != 0 && static_cast<double>(sum) >= wanted) {
        return std::min(max_, Duration{static_cast<int64_t>(upper_edge_of(i))});
      }
    }
    return max_;
  }

 private:
  static constexpr int kBits = 6;  // of a value that tell buckets of one doubling apart
  static size_t bucket_of(uint64_t value) {
    if (value < (1u << kBits)) return value;
    const int shift = std::bit_width(value) - kBits - 1;
    return (static_cast<size_t>(shift + 1) << kBits) + ((value >> shift) - (1u << kBits));
  }
  static uint64_t upper_edge_of(size_t bucket) {
    if (bucket < (1u << kBits)) return bucket;
    const size_t shift = (bucket >> kBits) - 1;
    return (((bucket & ((1u << kBits) - 1)) + (1u << kBits) + 1) << shift) - 1;
  }

  std::array<uint64_t, (64 - kBits + 1) << kBits> counts_{};
  uint64_t count_ = 0;
  Duration max_;
};

}  // namespace shoal::bench
