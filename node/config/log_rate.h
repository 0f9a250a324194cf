// How often each place in the code may log. A broken client that reconnects a thousand times a
// second must not fill the disk, and its line must not vanish either: hence the count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <utility>

namespace shoal {

class LogRate {
 public:
  explicit LogRate(uint32_t per_s) : per_s_(per_s) {}

  struct Verdict {
    bool may_pass = true;
    uint64_t suppressed = 0;  // since the last line of this place that passed
  };
  // Any thread. `now_ms` may come from any clock that does not go back by more than a second.
  Verdict check(const std::source_location& place, int64_t now_ms);

  uint64_t suppressed_total() const { return total_.load(std::memory_order_relaxed); }

 private:
  struct Place {
    std::mutex mutex;
    int64_t window_start_ms = INT64_MIN / 2;
    uint32_t in_window = 0;
    uint64_t suppressed = 0;
  };

  // Places share a slot when their hashes do: they then share its rate, which does no harm.
  static constexpr size_t kSlots = 256;

  const uint32_t per_s_;
  std::array<Place, kSlots> places_;
  std::atomic<uint64_t> total_{0};
};

}  // namespace shoal
