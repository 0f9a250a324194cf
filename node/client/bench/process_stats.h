// CPU time and memory of the broker's processes, from /proc.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shoal/types.h"

namespace shoal::bench {

struct ProcessStats {
  Duration cpu;            // user and system, of all of them
  uint64_t rss_bytes = 0;  // likewise
};

// None if one of them is not there, or may not be looked at.
std::optional<ProcessStats> stats_of(const std::vector<int>& pids);

}  // namespace shoal::bench
