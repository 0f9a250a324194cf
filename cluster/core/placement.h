// Which replica a shard is to gain or lose next, as its leader decides it: a member that left is replaced
// by one that is here, first added, then the other removed; where there are fewer than the cluster
// wants, one is added. One step at a time, each a change of the Raft group.
//
// A group of fewer than three voters stays as it is (guard 6, docs/raft.md).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "cluster/raft/raft_events.h"
#include "cluster/raft/types.h"
#include "shoal/types.h"

namespace shoal {

struct PlacementView {
  uint32_t shard = 0;
  uint32_t replicas = 0;  // wanted
  const raft::Configuration* servers = nullptr;
  std::vector<NodeId> members;              // that did not leave, this node too
  std::vector<NodeId> here;                 // of them those in sync with this node, and itself
  std::function<uint64_t(NodeId)> missing;  // entries that a server has yet to get
};

std::optional<raft::ChangeMember> next_change(const PlacementView& view);

}  // namespace shoal
