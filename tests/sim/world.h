// The simulated world's clock, dice and agenda. Time moves from event to event; events of one
// instant run in the order they were planned in. One seed decides all: nothing here, and nothing
// that runs here, reads a real clock or another source of chance.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/random.h"
#include "shoal/types.h"

namespace shoal {

inline Duration micros(uint64_t n) { return {static_cast<int64_t>(n * 1000)}; }

namespace sim {

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {}

  Random& random() { return random_; }
  Instant now() const { return now_; }

  void at(Instant when, std::function<void()> what);
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  void run_until(Instant end);

  // A span drawn evenly from [low, high).
  Duration between(Duration low, Duration high);
  // Mostly short, at times a hundred times longer: what a busy thread or a queue in a switch does.
  Duration long_tailed(Duration typical);

  // Each noted line goes into trace_hash(), which two runs of one seed must share.
  void note(std::string_view line);
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t events() const { return events_; }
  void print_trace(bool on) { print_trace_ = on; }

 private:
  struct Event {
    Instant when;
    uint64_t order;
    std::function<void()> what;
    bool operator>(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  Random random_;
  Instant now_{};
  uint64_t planned_ = 0;
  uint64_t events_ = 0;
  uint64_t trace_hash_ = 14695981039346656037ull;
  bool print_trace_ = false;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> agenda_;
};

}  // namespace sim
}  // namespace shoal
