// Whole histories of the store under crashes, cuts and freezes: nothing acknowledged is lost, QoS 2
// comes once, order holds, replicas are equal.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/replica/store_run.h"

namespace shoal::replica::test {
namespace {

uint64_t given(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

struct Seen {
  uint64_t installed = 0;
  uint64_t restored = 0;
};

void run(const StoreRun& run, Seen& seen) {
  const StoreResult result = run_store(run);
  EXPECT_GT(result.promised, 10u);
  EXPECT_GT(result.received, 10u);  // a storm of broken sessions leaves little time
  for (size_t i = 0; i < result.violations.size() && i < 12; ++i) {
    ADD_FAILURE() << "seed " << run.seed << ": " << result.violations[i];
  }
  seen.installed += result.installed;
  seen.restored += result.restored;
}

TEST(StoreSim, ThreeNodesKeepWhatTheyPromise) {
  Seen seen;
  const uint64_t last = given("STORE_SIM_SEEDS", 40);
  for (uint64_t seed = given("SHOAL_STORE_SEED", 1); seed <= last && !HasFailure(); ++seed) {
    run({.seed = seed, .nodes = 3}, seen);
  }
  EXPECT_GT(seen.installed, 0u);  // copies are part of it
}

TEST(StoreSim, OneNodeKeepsWhatItPromises) {
  const uint64_t last = given("STORE_SIM_SEEDS", 40);
  Seen seen;
  for (uint64_t seed = 1; seed <= last && !HasFailure(); ++seed) {
    run({.seed = seed, .nodes = 1}, seen);
  }
}

TEST(StoreSim, ABackupHasWhatWasPromisedBefore) {
  Seen seen;
  const uint64_t last = given("STORE_SIM_SEEDS", 30);
  for (uint64_t seed = given("SHOAL_STORE_SEED", 1); seed <= last && !HasFailure(); ++seed) {
    run({.seed = seed, .nodes = 3, .backups = true}, seen);
  }
  EXPECT_GT(seen.restored, 0u);
}

}  // namespace
}  // namespace shoal::replica::test
