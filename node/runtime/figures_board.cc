#include "node/runtime/figures_board.h"

namespace shoal {

void FiguresBoard::show(int worker, const WorkerReport& report) {
  Place& place = reports_[static_cast<size_t>(worker)];
  const std::lock_guard lock(place.mutex);
  place.report = report;
}

std::vector<WorkerReport> FiguresBoard::all() const {
  std::vector<WorkerReport> reports;
  for (const Place& place : reports_) {
    const std::lock_guard lock(place.mutex);
    reports.push_back(place.report);
  }
  return reports;
}

}  // namespace shoal
