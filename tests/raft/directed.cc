#include "tests/raft/directed.h"

#include "tests/raft/directed_parts.h"

namespace shoal::raft::sim {
namespace {

std::vector<Schedule> all() {
  std::vector<Schedule> schedules;
  for (const auto& part : {schedules_of_votes(), schedules_of_logs(), schedules_of_members()}) {
    schedules.insert(schedules.end(), part.begin(), part.end());
  }
  return schedules;
}

}  // namespace

std::vector<std::string> directed_names() {
  std::vector<std::string> names;
  for (const Schedule& schedule : all()) names.push_back(schedule.name);
  return names;
}

std::string run_directed(const std::string& name) {
  for (const Schedule& schedule : all()) {
    if (name == schedule.name) return schedule.run();
  }
  return "no schedule of this name";
}

}  // namespace shoal::raft::sim
