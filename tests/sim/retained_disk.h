// The retained messages that a simulated node has on its disk, and the writes on their way there, which
// a crash loses from some point on.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/hub.h"

namespace shoal::sim {

class RetainedDisk {
 public:
  void begin(std::vector<HubEffects::RetainedWrite>& writes) {
    for (HubEffects::RetainedWrite& each : writes) waiting_.push_back(std::move(each));
    writes.clear();
  }
  bool is_waiting() const { return !waiting_.empty(); }
  // What began up to now is durable: the number of the last.
  uint64_t finish(size_t writes) {
    uint64_t last = 0;
    for (; writes > 0 && !waiting_.empty(); --writes) {
      last = waiting_.front().number;
      apply(waiting_.front());
      waiting_.pop_front();
    }
    return last;
  }
  size_t waiting() const { return waiting_.size(); }
  // Some first part of what was on its way got there.
  void crash(size_t survives) {
    finish(survives);
    waiting_.clear();
  }
  void wipe() { *this = RetainedDisk(); }

  StoredRetained load() const {
    StoredRetained stored;
    for (const auto& [topic, item] : items_) stored.items.push_back(item);
    stored.as_of_ms = as_of_ms_;
    return stored;
  }

 private:
  void apply(const HubEffects::RetainedWrite& write) {
    using Kind = HubEffects::RetainedWrite::Kind;
    switch (write.kind) {
      case Kind::kPut:
        items_[std::string(write.message->topic())] = {write.message, write.stamp};
        return;
      case Kind::kForget: items_.erase(write.topic); return;
      case Kind::kClear: items_.clear(); return;
      case Kind::kAsOf: as_of_ms_ = write.wall_ms; return;
    }
  }

  std::map<std::string, StoredRetained::Item> items_;
  int64_t as_of_ms_ = 0;
  std::deque<HubEffects::RetainedWrite> waiting_;
};

}  // namespace shoal::sim
