// How many connections there are, by worker and by listener: who may still come in, and which worker
// should have the next. Any thread; touched when a connection comes and when it goes, no oftener.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "shoal/types.h"

namespace shoal {

class ConnectionLedger {
 public:
  // `listener_max` by listener, 0: no limit of its own; `total_max` likewise.
  ConnectionLedger(int workers, const std::vector<uint32_t>& listener_max, uint32_t total_max);

  // Counts a connection for `worker`, unless it is one too many.
  bool admit(uint16_t listener, WorkerIndex worker);
  void release(uint16_t listener, WorkerIndex worker);
  void move(WorkerIndex from, WorkerIndex to);

  // One too many is to be told so: a few at once, beside those that are admitted.
  static constexpr uint32_t kTurnedAwayMax = 64;
  bool begin_turning_away();
  void end_turning_away();

  // The worker with the fewest; `self` when it has no more than that and one.
  WorkerIndex worker_for_next(WorkerIndex self) const;

  uint32_t on_listener(uint16_t listener) const;
  uint32_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Count {
    std::atomic<uint32_t> now{0};
    uint32_t max = 0;
  };

  const int workers_;
  const uint32_t total_max_;
  std::atomic<uint32_t> total_{0};
  std::atomic<uint32_t> turned_away_{0};
  std::array<Count, kWorkersMax> by_worker_;
  std::deque<Count> by_listener_;
};

}  // namespace shoal
