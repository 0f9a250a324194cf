// Tells whether a cached match is still right, without knowing which filters it came from. A change
// of a wildcard filter raises one counter, chosen by the levels before its first wildcard, at most
// two of them; a topic depends on the counters of no level, of its first, and of its first two. So
// the comings and goings of "devices/7/#" touch no topic below "devices/8".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace shoal {

class Generations {
 public:
  explicit Generations(uint64_t seed) : seed_(seed) {}

  // Which counters a topic depends on, for sum().
  uint32_t cells_of(std::string_view topic) const;
  // Another than at an earlier call if one of the counters was raised since.
  uint64_t sum(uint32_t cells) const { return all_ + cells_[cells & 0xFFFF] + cells_[cells >> 16]; }
  void raise(std::string_view wildcard_filter);
  void raise_all() { ++all_; }

 private:
  static constexpr uint64_t kCells = 1024;

  // The counter of the first levels, at most two, that `text` has; in `levels` how many.
  uint32_t cell_of(std::string_view text, int levels_max, int& levels) const;

  uint64_t seed_;
  uint64_t all_ = 0;  // also of filters that begin with a wildcard
  std::array<uint64_t, kCells> cells_{};
};

}  // namespace shoal
