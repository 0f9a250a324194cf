// What all parts of one hub share: its configuration and identity, the event's time, the generator,
// the stamps' clock and the effects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "cluster/core/hub.h"
#include "shoal/random.h"

namespace shoal {

struct Context {
  Context(HubConfig c, const StoredState& stored, uint64_t seed)
      : config(std::move(c)),
        self(stored.id),
        life{stored.incarnation, 0},
        level(stored.level),
        random(seed),
        process(random.next()) {}

  const HubConfig config;
  const NodeId self;
  Life life;  // of this node's clients
  // Of the cluster: what a version above it brought is not used yet (hub_levels.cc). Never falls.
  uint32_t level;
  Random random;
  const uint64_t process;  // tells this process from another with the same identity
  Now now;
  HubEffects effects;

  uint64_t all_workers() const {
    return config.workers == kWorkersMax ? ~uint64_t{0} : (uint64_t{1} << config.workers) - 1;
  }
  void mail(uint64_t workers, ToWorker mail) {
    if (workers != 0) effects.mails.push_back({workers, std::move(mail)});
  }
  void log(HubEffects::Log::Level level, std::string line) {
    effects.logs.push_back({level, std::move(line)});
  }

  // Later than every stamp given or seen.
  Stamp next_stamp() {
    counter_ =
        std::max(static_cast<uint64_t>(std::max<int64_t>(now.wall_ms, 0)) << 16, counter_ + 1);
    return {counter_, self};
  }
  // A peer's clock that is a day ahead is not followed: it would order everything for that long.
  void see_counter(uint64_t counter) {
    constexpr int64_t kAheadMs = 24 * 3600 * 1000;
    const auto ceiling = static_cast<uint64_t>(now.wall_ms + kAheadMs) << 16;
    if (counter <= ceiling) counter_ = std::max(counter_, counter);
  }

 private:
  uint64_t counter_ = 0;
};

constexpr uint64_t bit_of(WorkerIndex worker) { return uint64_t{1} << worker; }

}  // namespace shoal
