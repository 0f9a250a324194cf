#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

namespace shoal::sim {

void World::at(Instant when, std::function<void()> what) {
  agenda_.push({std::max(when, now_), planned_++, std::move(what)});
}

void World::run_until(Instant end) {
  while (!agenda_.empty() && agenda_.top().when <= end) {
    // priority_queue offers no way to move its top out; the event is popped at once.
    Event event = std::move(const_cast<Event&>(agenda_.top()));
    agenda_.pop();
    now_ = event.when;
    ++events_;
    event.what();
  }
  now_ = end;
}

Duration World::between(Duration low, Duration high) {
  return {low.ns + static_cast<int64_t>(random_.below(static_cast<uint64_t>(high.ns - low.ns)))};
}

Duration World::long_tailed(Duration typical) {
  const Duration base = between(typical / 2, typical * 2);
  if (random_.one_in(200)) return base * 100;
  return random_.one_in(20) ? base * 10 : base;
}

void World::note(std::string_view line) {
  for (const char c : line) trace_hash_ = (trace_hash_ ^ static_cast<uint8_t>(c)) * 1099511628211u;
  trace_hash_ = (trace_hash_ ^ static_cast<uint64_t>(now_.ns)) * 1099511628211u;
  if (print_trace_) {
    std::printf("%12.6f %.*s\n", static_cast<double>(now_.ns) / 1e9, static_cast<int>(line.size()),
                line.data());
  }
}

}  // namespace shoal::sim
