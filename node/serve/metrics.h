// What /metrics shows of a node.
#pragma once

#include <string>
#include <vector>

#include "cluster/core/hub_status.h"
#include "node/runtime/figures_board.h"
#include "shoal/types.h"

namespace shoal {

struct ListenerFigures {
  std::string name;
  uint32_t connections = 0;
};

// What the process says of itself.
struct ProcessFigures {
  Duration uptime;
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;
  uint64_t open_files_max = 0;
  uint64_t log_lines_dropped = 0;
  uint64_t credential_checks_waiting = 0;
};

std::string metrics_text(const std::vector<WorkerReport>& workers,
                         const std::vector<ListenerFigures>& listeners, const HubStatus& hub,
                         const ProcessFigures& process);

BrokerCounters sum_of(const std::vector<WorkerReport>& workers);

}  // namespace shoal
