#include "node/runtime/worker_loads.h"

#include <algorithm>

namespace shoal {
namespace {

// In thousandths of a processor. Between what lets connections gather and what spreads them again lies
// enough that none goes to and fro.
constexpr uint32_t kLittle = 500;
constexpr uint32_t kNotMuchMore = 100;
constexpr uint32_t kNearlyAll = 800;
constexpr uint32_t kFarFrom = 300;
constexpr uint32_t kMeanOf = 4;  // calls

}  // namespace

void WorkerLoads::show(WorkerIndex worker, Duration processor, Duration time) {
  if (time.ns <= 0) return;
  const int64_t share = std::clamp<int64_t>(processor.ns * 1000 / time.ns, 0, 1000);
  const uint32_t before = per_mille(worker);
  loads_[worker].store((before * (kMeanOf - 1) + static_cast<uint32_t>(share)) / kMeanOf,
                       std::memory_order_relaxed);
}

bool WorkerLoads::may_gather(WorkerIndex from, WorkerIndex to) const {
  return per_mille(to) < kLittle || per_mille(to) <= per_mille(from) + kNotMuchMore;
}

std::optional<WorkerIndex> WorkerLoads::relief_of(WorkerIndex from) const {
  if (per_mille(from) < kNearlyAll) return {};
  WorkerIndex least = from;
  for (int i = 0; i < workers_; ++i) {
    const auto worker = static_cast<WorkerIndex>(i);
    if (per_mille(worker) < per_mille(least)) least = worker;
  }
  if (per_mille(least) + kFarFrom > per_mille(from)) return {};
  return least;
}

}  // namespace shoal
