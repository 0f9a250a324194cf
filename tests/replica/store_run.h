// A whole run of a StoreCluster with devices and faults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::replica::test {

struct StoreRun {
  uint64_t seed = 1;
  int nodes = 3;
  bool backups = false;  // are taken, and restored
};

struct StoreResult {
  std::vector<std::string> violations;  // what says most first
  uint64_t promised = 0;
  uint64_t received = 0;
  uint64_t installed = 0;  // copies of states
  uint64_t faults = 0;
  uint64_t restored = 0;  // backups
};

StoreResult run_store(const StoreRun& run);

}  // namespace shoal::replica::test
