// What goes wrong in a simulated cluster, how it is mended, and what must hold in the end.
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "tests/raft/sim_cluster.h"

namespace shoal::raft::sim {
namespace {

Duration millis(uint64_t n) { return Duration::millis(static_cast<int64_t>(n)); }

}  // namespace

void SimCluster::fault() {
  if (is_calm()) return;
  Random& random = world_.random();
  Node& node = *nodes_[random.below(nodes_.size())];
  switch (random.below(8)) {
    case 0:
    case 1: crash_for_a_while(node); break;
    case 2: cut_for_a_while(node); break;
    case 3: cut_one_way(node); break;
    case 4: freeze(node); break;
    case 5: {
      SimServer* leader = leader_of(static_cast<int>(random.below(wanted_voters_.size())));
      if (leader != nullptr) crash_for_a_while(at(leader->group().self()));
      break;
    }
    case 6: {
      SimServer* leader = leader_of(static_cast<int>(random.below(wanted_voters_.size())));
      if (leader != nullptr) cut_for_a_while(at(leader->group().self()));
      break;
    }
    default:
      if (random.one_in(4)) crash_everything();
  }
  const uint64_t pause = options_.fast_crashes ? 50 + random.below(400) : 100 + random.below(900);
  world_.after(millis(pause), [this] { fault(); });
}

void SimCluster::crash_for_a_while(Node& node) {
  if (!node.is_up) return;
  crash(node);
  const uint64_t away = 20 + world_.random().below(options_.fast_crashes ? 150 : 1200);
  world_.after(millis(away), [this, &node] { revive(node); });
}

void SimCluster::crash_everything() {
  for (const auto& node : nodes_) crash_for_a_while(*node);
}

void SimCluster::cut_for_a_while(Node& node) {
  ++result_.faults;
  const Duration time = millis(100 + world_.random().below(1200));
  for (const auto& other : nodes_) {
    if (other->id == node.id) continue;
    for (const auto& way : {std::pair(node.id, other->id), std::pair(other->id, node.id)}) {
      cuts_.insert(way);
      world_.after(time, [this, way] { cuts_.erase(cuts_.find(way)); });
    }
  }
}

void SimCluster::cut_one_way(Node& node) {
  ++result_.faults;
  const Duration time = millis(100 + world_.random().below(1200));
  const bool outwards = world_.random().one_in(2);
  for (const auto& other : nodes_) {
    if (other->id == node.id || world_.random().one_in(3)) continue;
    const auto way = outwards ? std::pair(node.id, other->id) : std::pair(other->id, node.id);
    cuts_.insert(way);
    world_.after(time, [this, way] { cuts_.erase(cuts_.find(way)); });
  }
}

// What comes to it meanwhile waits; a frozen process does not notice how long.
void SimCluster::freeze(Node& node) {
  ++result_.faults;
  node.frozen_until = world_.now() + millis(100 + world_.random().below(2500));
}

// Cuts and freezes end by themselves soon after.
void SimCluster::heal() {
  quiet_ = true;
  for (const auto& node : nodes_) revive(*node);
}

void SimCluster::check_end() {
  for (int shard = 0; shard < options_.groups; ++shard) check_group(shard);
}

void SimCluster::check_group(int shard) {
  SimServer* const leader = leader_of(shard);
  if (leader == nullptr) {
    return oracle_.violate(absl::StrCat("group ", shard, " has no leader after healing"));
  }
  result_.terms += leader->group().role().term;
  Instant acknowledged{};
  for (const auto& node : nodes_) {
    acknowledged =
        std::max(acknowledged, node->servers[static_cast<size_t>(shard)]->acknowledged_at());
  }
  if (acknowledged + Duration::seconds(2) < world_.now()) {
    oracle_.violate(absl::StrCat("group ", shard, " does not go on after healing"));
  }
  if (leader->group().is_change_pending()) {
    oracle_.violate(absl::StrCat("group ", shard, ": a change of membership never completes"));
  }
  for (const Server& server : leader->group().configuration()->servers) {
    SimServer& follower = *at(server.id).servers[static_cast<size_t>(shard)];
    if (follower.group().applied() + 600 < leader->group().applied()) {
      oracle_.violate(absl::StrCat("group ", shard, ": server ", server.id.value, " lags behind"));
    }
    if (follower.group().commit() >= leader->group().snapshot().configuration_index &&
        follower.group().is_change_pending() && !leader->group().is_change_pending()) {
      oracle_.violate(absl::StrCat("group ", shard, ": server ", server.id.value,
                                   " holds a committed change for pending"));
    }
  }
}

}  // namespace shoal::raft::sim
