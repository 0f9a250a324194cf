#include "node/config/log_rate.h"

#include <cstddef>
#include <functional>

namespace shoal {

LogRate::Verdict LogRate::check(const std::source_location& place, int64_t now_ms) {
  if (per_s_ == 0) return {};
  // The name's address is as good as its text here: one place has one.
  const size_t hash = std::hash<const void*>{}(place.file_name()) * 31 + place.line() * 131;
  Place& slot = places_[hash % kSlots];
  const std::lock_guard lock(slot.mutex);
  if (now_ms - slot.window_start_ms >= 1000 || now_ms < slot.window_start_ms) {
    slot.window_start_ms = now_ms;
    slot.in_window = 0;
  }
  if (slot.in_window >= per_s_) {
    ++slot.suppressed;
    total_.fetch_add(1, std::memory_order_relaxed);
    return {.may_pass = false};
  }
  ++slot.in_window;
  return {.may_pass = true, .suppressed = std::exchange(slot.suppressed, 0)};
}

}  // namespace shoal
