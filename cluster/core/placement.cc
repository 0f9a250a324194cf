#include "cluster/core/placement.h"

#include <algorithm>

#include "cluster/core/node_list.h"
#include "shoal/random.h"

namespace shoal {
namespace {

using How = raft::ChangeMember::How;

constexpr size_t kVotersMin = 3;
constexpr uint64_t kNearly = 1000;  // entries behind which a learner is promoted

// Each shard prefers the nodes in an order of its own, so that replicas spread.
uint64_t preference(uint32_t shard, NodeId node) {
  return Random(node.value ^ uint64_t{shard} << 32).next();
}

}  // namespace

std::optional<raft::ChangeMember> next_change(const PlacementView& view) {
  const raft::Configuration& now = *view.servers;
  if (now.voters() < kVotersMin) return std::nullopt;
  std::optional<NodeId> gone;
  std::optional<NodeId> learner;
  for (const raft::Server& each : now.servers) {
    const bool is_member = contains(view.members, each.id);
    if (each.role == raft::Role::kLearner) {
      if (!is_member) return raft::ChangeMember{How::kRemove, each.id};
      learner = each.id;
    } else if (!is_member) {
      gone = each.id;
    }
  }
  const size_t wanted = std::max<size_t>(view.replicas, kVotersMin);
  if (gone && now.voters() > wanted) return raft::ChangeMember{How::kRemove, *gone};
  if (learner) {
    if (!contains(view.here, *learner) || view.missing(*learner) > kNearly) return std::nullopt;
    return raft::ChangeMember{How::kPromote, *learner};
  }
  // An even number bears no more than one less, so two are added together or none.
  const size_t free = static_cast<size_t>(std::count_if(
      view.here.begin(), view.here.end(), [&now](NodeId id) { return now.find(id) == nullptr; }));
  const size_t missing = wanted - std::min(wanted, now.voters());
  const bool may_add = gone || (now.voters() % 2 == 0 ? missing > 0 : missing > 1 && free > 1);
  if (!may_add || free == 0) return std::nullopt;
  std::optional<NodeId> best;
  for (const NodeId id : view.here) {
    if (now.find(id) != nullptr) continue;
    if (!best || preference(view.shard, id) > preference(view.shard, *best)) best = id;
  }
  return raft::ChangeMember{How::kAddLearner, *best};
}

}  // namespace shoal
