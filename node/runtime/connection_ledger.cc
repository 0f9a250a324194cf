#include "node/runtime/connection_ledger.h"

#include "shoal/assert.h"

namespace shoal {

ConnectionLedger::ConnectionLedger(int workers, const std::vector<uint32_t>& listener_max,
                                   uint32_t total_max)
    : workers_(workers), total_max_(total_max) {
  SHOAL_ASSERT(workers >= 1 && workers <= kWorkersMax);
  for (const uint32_t max : listener_max) by_listener_.emplace_back().max = max;
}

bool ConnectionLedger::admit(uint16_t listener, WorkerIndex worker) {
  Count& here = by_listener_[listener];
  const uint32_t on_listener = here.now.fetch_add(1);
  const uint32_t in_all = total_.fetch_add(1);
  by_worker_[worker].now.fetch_add(1);
  const bool is_too_many =
      (here.max != 0 && on_listener >= here.max) || (total_max_ != 0 && in_all >= total_max_);
  if (is_too_many) release(listener, worker);
  return !is_too_many;
}

void ConnectionLedger::release(uint16_t listener, WorkerIndex worker) {
  by_listener_[listener].now.fetch_sub(1);
  total_.fetch_sub(1);
  by_worker_[worker].now.fetch_sub(1);
}

void ConnectionLedger::move(WorkerIndex from, WorkerIndex to) {
  by_worker_[from].now.fetch_sub(1);
  by_worker_[to].now.fetch_add(1);
}

bool ConnectionLedger::begin_turning_away() {
  if (turned_away_.fetch_add(1) < kTurnedAwayMax) return true;
  end_turning_away();
  return false;
}

void ConnectionLedger::end_turning_away() { turned_away_.fetch_sub(1); }

WorkerIndex ConnectionLedger::worker_for_next(WorkerIndex self) const {
  uint32_t fewest = by_worker_[self].now.load(std::memory_order_relaxed);
  WorkerIndex best = self;
  for (int i = 0; i < workers_; ++i) {
    const uint32_t count = by_worker_[i].now.load(std::memory_order_relaxed);
    // The hand-over to another worker has its price: only for a difference that counts.
    if (count < fewest && (best != self || count + 1 < fewest)) {
      fewest = count;
      best = static_cast<WorkerIndex>(i);
    }
  }
  return best;
}

uint32_t ConnectionLedger::on_listener(uint16_t listener) const {
  return by_listener_[listener].now.load(std::memory_order_relaxed);
}

}  // namespace shoal
