#include "cluster/replica/takers.h"

#include <algorithm>
#include <utility>

namespace shoal::replica {
namespace {

constexpr int kWantTicks = 60;  // three seconds: then it has been said again, or is out of date
constexpr uint32_t kPortion = 16;

}  // namespace

void Takers::clear() {
  groups_.clear();
  noted_.clear();
}

// It may come before the membership itself: kept for a while.
void Takers::on_want(const std::string& group, const std::string& client_id, uint32_t room) {
  groups_[group].wants[client_id] = {room, 0};
  noted_.insert(group);
}

void Takers::on_tick() {
  for (auto it = groups_.begin(); it != groups_.end();) {
    Group& group = it->second;
    for (auto& [client_id, want] : group.wants) ++want.ticks;
    std::erase_if(group.wants, [](const auto& want) { return want.second.ticks > kWantTicks; });
    const bool is_over = group.wants.empty() && group.taking.empty();
    it = is_over ? groups_.erase(it) : std::next(it);
  }
}

void Takers::on_applied(uint64_t entries) {
  for (auto& [name, group] : groups_) {
    while (!group.taking.empty() && group.taking.front().entry <= entries) {
      group.taking.pop_front();
    }
  }
}

std::vector<Takers::Take> Takers::pump(const shard::ShardState& state, uint64_t entry) {
  std::vector<Take> out;
  for (const std::string& name : std::exchange(noted_, {})) {
    const auto it = groups_.find(name);
    if (it != groups_.end()) share(state, name, it->second, entry, out);
  }
  return out;
}

void Takers::share(const shard::ShardState& state, const std::string& name, Group& group,
                   uint64_t entry, std::vector<Take>& out) {
  const std::optional<shard::GroupRecord> record = state.group(name);
  if (!record) return;
  uint64_t held = uint64_t{record->returned.queued} + record->fresh.queued;
  for (const Taking& each : group.taking) held -= std::min<uint64_t>(held, each.count);
  // In turn, from behind the one that was served last.
  for (size_t left = group.wants.size(); held != 0 && left != 0; --left) {
    auto at = group.wants.upper_bound(group.last);
    if (at == group.wants.end()) at = group.wants.begin();
    group.last = at->first;
    const std::optional<shard::MemberRecord> member = state.member(name, at->first);
    if (!member || !member->online || at->second.room == 0) continue;
    const auto count = static_cast<uint32_t>(
        std::min<uint64_t>({held, at->second.room, std::max<uint64_t>(held / left, 1), kPortion}));
    out.push_back({name, at->first, member->version, count});
    group.taking.push_back({entry, count});
    at->second.room -= count;
    held -= count;
  }
  if (held != 0 && std::any_of(group.wants.begin(), group.wants.end(),
                               [](const auto& want) { return want.second.room != 0; })) {
    noted_.insert(name);
  }
}

}  // namespace shoal::replica
