#include "cluster/engine/state_flusher.h"

#include <chrono>
#include <utility>

namespace shoal::engine {

StateFlusher::StateFlusher(storage::StateStore& state, const FlushPace& pace, StoreSink& sink)
    : state_(state), pace_(pace), sink_(sink) {}

void StateFlusher::note(const std::vector<Progress>& progress) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    for (const Progress& each : progress) {
      if (each.entries == 0) continue;
      wakes = wakes || committed_.empty();
      committed_[each.shard] = each.committed;
      bytes_ += each.bytes;
      entries_ += each.entries;
    }
    wakes = wakes || is_due();
  }
  if (wakes) changed_.notify_one();
}

void StateFlusher::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
}

bool StateFlusher::is_due() const {
  return bytes_ >= pace_.applied_bytes || entries_ >= pace_.applied_entries;
}

void StateFlusher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_stopping_ || !committed_.empty(); });
    changed_.wait_for(lock, std::chrono::nanoseconds(pace_.interval.ns),
                      [this] { return is_stopping_ || is_due(); });
    if (is_stopping_) return;
    const std::map<uint32_t, raft::Index> committed = std::exchange(committed_, {});
    bytes_ = entries_ = 0;
    lock.unlock();
    if (const absl::Status flushed = state_.flush(); !flushed.ok()) {
      return sink_.on_store_failed(std::string(flushed.message()));
    }
    std::vector<StoreSink::Flushed> report;
    for (const auto& [shard, index] : committed) report.push_back({shard, index});
    sink_.on_flushed(std::move(report));
    lock.lock();
  }
}

}  // namespace shoal::engine
