// Schedules by hand: the few steps at which a mistake shows that random faults hardly ever hit.
#pragma once

#include <string>
#include <vector>

namespace shoal::raft::sim {

std::vector<std::string> directed_names();
// What went wrong, or nothing.
std::string run_directed(const std::string& name);

}  // namespace shoal::raft::sim
