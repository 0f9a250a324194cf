// Durable subscribers that were away come back, and get what waited for them.
#include <cstdio>
#include <string>

#include "node/client/bench/load.h"

namespace shoal::bench {
namespace {

// Without any message for so long, the rest counts as lost.
constexpr Duration kPatience = Duration::seconds(10);

}  // namespace

// Whatever becomes of the broker meanwhile: nobody is connected.
void Load::pause() {
  std::fprintf(stderr, "published; waiting for a line on standard input\n");
  while (true) {
    const int got = std::getchar();
    if (got == '\n' || got == EOF) return;
  }
}

void Load::drain() {
  for (const Publisher& publisher : publishers_) publisher.client->disconnect();
  result_.connected = 0;
  if (options_.pause) pause();
  uint64_t expected = 0;
  for (const Publisher& publisher : publishers_) expected += publisher.sent * deliveries_of_one();
  const auto before = stats_of(options_.pids);
  const Instant start = last_delivery_ = clock_now();
  if (!connect_all(subscribers())) return;
  while (result_.problem.empty() && arrived_ < expected &&
         clock_now() - last_delivery_ < kPatience) {
    step(Duration::millis(20));
  }
  Drain& drain = result_.drain.emplace();
  drain.took = last_delivery_ - start;
  drain.delivered = arrived_;
  drain.cpu = stats_of(options_.pids);
  if (!before || !drain.cpu) drain.cpu.reset();
  if (drain.cpu) drain.cpu->cpu = drain.cpu->cpu - before->cpu;
  // The last acknowledgements, and what may come twice.
  const Instant end = clock_now() + Duration::seconds(1);
  while (result_.problem.empty() && clock_now() < end) step(Duration::millis(20));
}

}  // namespace shoal::bench
