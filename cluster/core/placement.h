// What a shard's leader does next so that the shard's replicas come to be where they should be
// (placement_targets.h): one step at a time, each a change of the Raft group or a hand-over. A replica is
// added before another is removed: a learner first, promoted when it has the log.
//
// Replicas of nodes that are to have none (left, leaving, away for too long) are replaced as long as a
// node is there that can, whoever else is away; to level what is there already waits until every node is
// there. One that leaves and is here goes when those that stay are a majority without it. A group of one
// gets two learners, and is founded anew with them when they have its log (guard 6, docs/raft.md). None
// gets fewer voters than it has because nodes are missing: an odd number of them is never made less.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "cluster/raft/types.h"
#include "shoal/types.h"

namespace shoal {

constexpr size_t kVotersMin = 3;  // of a group that can change
// Entries that a server may lack which gets a part: it has them before it counts, or leads.
constexpr uint64_t kLacksMax = 1000;

struct PlacementView {
  uint32_t shard = 0;
  NodeId leader;
  const raft::Configuration* servers = nullptr;
  std::span<const NodeId> nodes;   // that are to have replicas
  std::span<const NodeId> here;    // of all nodes those in sync with the leader, itself too
  std::span<const NodeId> wanted;  // voters; empty: not known yet
  // Every node knows how, and there are to be more replicas than one.
  bool may_found_anew = true;
  std::function<uint64_t(NodeId)> missing;  // entries that a server has yet to get
};

struct PlacementStep {
  enum class Kind : uint8_t { kAdd, kPromote, kRemove, kHandOver, kFoundAnew };
  Kind kind = Kind::kAdd;
  NodeId server;
  // The first of some that move a replica where nothing is missing: they take turns with other shards.
  bool waits_for_turn = false;
};

std::optional<PlacementStep> next_step(const PlacementView& view);

// What becomes of the replica of a node that leaves, and is not among `nodes` any more.
enum class Departure : uint8_t {
  kNone,   // it has none
  kMoves,  // by the steps above
  kOpen,   // nobody can take it; the others are a majority, and its place is for the next node
  kHeld,   // nor are they
};
Departure departure_of(NodeId node, const PlacementView& view);

// Of the voters, if that node goes now: those that are here, and do not leave too, are one.
bool leaves_majority(NodeId node, const PlacementView& view);

std::vector<NodeId> learners_of(const raft::Configuration& servers);

// Between the first and the last step of a move.
bool is_moving(const raft::Configuration& servers);

}  // namespace shoal
