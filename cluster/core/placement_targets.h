// Where the replicas of all shards should be: the same on every node that knows the same nodes, so that
// nobody has to say it (docs/decisions/0004-placement.md).
//
// The replicas of a shard are on different nodes and in as many zones as there are, as evenly as the
// zones' nodes allow; a node without a zone is in the zone of the empty name. Within that nodes have
// replicas by their weight, up to one of each shard, and none has one more than another should have.
// Among all such placements a hash of (shard, node) picks, so that another set of nodes moves little.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shoal/types.h"

namespace shoal {

struct TargetNode {
  NodeId id;
  uint32_t weight = 1;
  std::string zone;
  bool operator==(const TargetNode&) const = default;
};

// The largest odd number of replicas that so many nodes can have, of those that are wanted.
uint32_t replica_count(uint32_t wanted, size_t nodes);

// Of each shard the wanted voters, ascending. The order of the nodes does not matter; each has an id of
// its own.
std::vector<std::vector<NodeId>> targets(std::vector<TargetNode> nodes, uint32_t shards,
                                         uint32_t replicas);

}  // namespace shoal
