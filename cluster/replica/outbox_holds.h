// Who wants a shard's outbox to stand still for a moment: nothing that is in it goes, and nothing new of
// it is sent (docs/decisions/0006-backup.md). A hold that is not renewed ends by itself, so that one who
// dies holds nobody up.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace shoal::replica {

class OutboxHolds {
 public:
  void hold(uint64_t cut) { ticks_[cut] = 0; }
  // False: it was over.
  bool release(uint64_t cut) { return ticks_.erase(cut) != 0; }
  bool has(uint64_t cut) const { return ticks_.contains(cut); }
  bool any() const { return !ticks_.empty(); }
  void clear() { ticks_.clear(); }

  void on_tick() {
    for (auto at = ticks_.begin(); at != ticks_.end();) {
      at = ++at->second > kTicksMax ? ticks_.erase(at) : std::next(at);
    }
  }

 private:
  static constexpr int kTicksMax = 100;  // five seconds
  std::map<uint64_t, int> ticks_;        // since it was asked for last
};

}  // namespace shoal::replica
