// How busy the workers of a node are, told by each at its ticks: who may give a connection to whom. Any
// thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "shoal/types.h"

namespace shoal {

class WorkerLoads {
 public:
  explicit WorkerLoads(int workers) : workers_(workers) {}

  // Of the time since the last call, the processor worked so long for it: a mean over some calls.
  void show(WorkerIndex worker, Duration processor, Duration time);
  uint32_t per_mille(WorkerIndex worker) const {
    return loads_[worker].load(std::memory_order_relaxed);
  }

  // `to` does little, or not much more than `from`: connections may gather where it costs least.
  bool may_gather(WorkerIndex from, WorkerIndex to) const;
  // `from` is nearly all that its processor can do, and this one is far from it.
  std::optional<WorkerIndex> relief_of(WorkerIndex from) const;

 private:
  const int workers_;
  std::array<std::atomic<uint32_t>, kWorkersMax> loads_{};
};

}  // namespace shoal
