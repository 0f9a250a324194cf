// What timers cost a broker with half a million connections: one each, of 60 to 120 s.
#include <benchmark/benchmark.h>

#include <vector>

#include "node/rules/timer_wheel.h"
#include "shoal/random.h"

namespace shoal {
namespace {

constexpr size_t kTimers = 500'000;

Instant deadline(Random& random, Instant now) {
  return now + Duration::millis(60'000 + static_cast<int64_t>(random.below(60'000)));
}

void add_and_cancel(benchmark::State& state) {
  Random random(1);
  TimerWheel<uint32_t> wheel(Instant{0});
  std::vector<TimerId> timers(kTimers);
  for (TimerId& id : timers) id = wheel.add(deadline(random, Instant{0}), 0);
  for (auto _ : state) {
    TimerId& id = timers[random.below(kTimers)];
    wheel.cancel(id);
    id = wheel.add(deadline(random, Instant{0}), 0);
  }
}
BENCHMARK(add_and_cancel);

// A tick of 100 ms, in which the keep-alives that run out are armed again. "each" is the time for
// one of them, its moves between levels included.
void tick(benchmark::State& state) {
  Random random(1);
  TimerWheel<uint32_t> wheel(Instant{0});
  for (uint32_t i = 0; i < kTimers; ++i) wheel.add(deadline(random, Instant{0}), i);
  Instant now{0};
  uint64_t ran_out = 0;
  for (auto _ : state) {
    now = now + Duration::millis(100);
    wheel.advance(now, [&](uint32_t) {
      ++ran_out;
      return deadline(random, now);
    });
  }
  state.counters["ran_out"] =
      benchmark::Counter(static_cast<double>(ran_out), benchmark::Counter::kAvgIterations);
  state.counters["each"] = benchmark::Counter(
      static_cast<double>(ran_out), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(tick)->Iterations(5000);

}  // namespace
}  // namespace shoal
