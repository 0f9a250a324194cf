// Whole histories of the store under crashes, cuts and freezes: nothing acknowledged is lost, QoS 2
// comes once, order holds, replicas are equal.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/replica/devices.h"

namespace shoal::replica::test {
namespace {

constexpr uint32_t kShards = 2;

void faults(StoreCluster& cluster, int64_t until_ms) {
  World& world = cluster.world();
  world.after(
      Duration::millis(static_cast<int64_t>(50 + world.random().below(700))),
      [&cluster, &world, until_ms] {
        if (world.now().ns / 1'000'000 > until_ms) return;
        Random& random = world.random();
        const int a = static_cast<int>(random.below(cluster.nodes()));
        const int b = static_cast<int>(random.below(cluster.nodes()));
        switch (random.below(5)) {
          case 0:
            if (!cluster.is_up(a)) break;
            cluster.crash(a);
            world.after(Duration::millis(static_cast<int64_t>(random.below(3'000))), [&cluster, a] {
              if (!cluster.is_up(a)) cluster.start(a);
            });
            break;
          case 1:
            if (a != b) cluster.cut(a, b, true);
            break;
          case 2: cluster.heal(); break;
          case 3:
            if (cluster.is_up(a)) {
              cluster.freeze(a, Duration::millis(static_cast<int64_t>(random.below(2'500))));
            }
            break;
          default: break;
        }
        faults(cluster, until_ms);
      });
}

uint64_t run(uint64_t seed, int nodes) {
  StoreCluster cluster({.seed = seed, .nodes = nodes, .shards = kShards});
  Devices devices(cluster, 3, 2);
  for (int i = 0; i < nodes; ++i) cluster.start(i);
  devices.run();
  constexpr int64_t kFaultyMs = 15'000;
  faults(cluster, kFaultyMs);
  cluster.world().run_until(Instant{} + Duration::millis(kFaultyMs));
  cluster.heal();
  cluster.world().run_until(Instant{} + Duration::millis(kFaultyMs + 4'000));
  for (int i = 0; i < nodes; ++i) {
    if (!cluster.is_up(i)) cluster.start(i);
  }
  cluster.heal();
  devices.quiet();
  cluster.world().run_until(Instant{} + Duration::millis(kFaultyMs + 20'000));
  devices.check();
  cluster.check_replicas();
  EXPECT_GT(devices.acknowledged(), 50u);
  EXPECT_GT(devices.received(), 100u);
  std::reverse(cluster.violations.begin(), cluster.violations.end());
  for (size_t i = 0; i < cluster.violations.size() && i < 12; ++i) {
    ADD_FAILURE() << "seed " << seed << ": " << cluster.violations[i];
  }
  return cluster.installed();
}

uint64_t seeds() {
  const char* const given = std::getenv("SHOAL_STORE_SEEDS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 40;
}

uint64_t first_seed() {
  const char* const given = std::getenv("SHOAL_STORE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

TEST(StoreSim, ThreeNodesKeepWhatTheyPromise) {
  uint64_t installed = 0;
  for (uint64_t seed = first_seed(); seed <= seeds() && !HasFailure(); ++seed) {
    installed += run(seed, 3);
  }
  EXPECT_GT(installed, 0u);  // copies are part of it
}

TEST(StoreSim, OneNodeKeepsWhatItPromises) {
  for (uint64_t seed = 1; seed <= seeds() && !HasFailure(); ++seed) run(seed, 1);
}

}  // namespace
}  // namespace shoal::replica::test
