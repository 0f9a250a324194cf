// What a simulated run is made of, and what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/types.h"

namespace shoal::raft::sim {

struct SimOptions {
  uint64_t seed = 1;
  int voters = 3;  // that found each group
  int nodes = 3;   // at least as many; the others may become members
  int groups = 3;
  Duration chaos = Duration::seconds(20);
  Duration calm = Duration::seconds(10);  // healed, before the end
  bool faults = true;
  bool membership = false;  // 3 to 5 voters; a lone one gets learners and founds anew with them
  bool transfers = false;
  bool snapshots = false;
  bool fast_crashes = false;
  Duration disk_max = Duration::millis(3);  // of a sync, most of the time
  bool trace = false;
};

// plain: faults alone; mix: membership, transfers and snapshots too; hard: mix with faster crashes and
// slower disks; slow: plain with disks slower than the network by far; grows: hard, and each group begins
// with one voter, whatever `voters` says.
constexpr std::string_view kMixes = "plain, mix, hard, slow, grows";
bool set_mix(std::string_view name, int voters, SimOptions& options);

struct SimResult {
  std::vector<std::string> violations;
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t faults = 0;
  uint64_t terms = 0;
  uint64_t changes = 0;
  uint64_t transfers = 0;
  uint64_t installs = 0;
  uint64_t hash = 0;  // the same for the same seed
};

SimResult run_simulation(const SimOptions& options);

}  // namespace shoal::raft::sim
