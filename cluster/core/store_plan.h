// How a cluster's durable state is divided: decided once, by the node that founds the cluster, and
// the same for all.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/raft/types.h"
#include "shoal/types.h"

namespace shoal {

struct ClusterId;

// Kept with the cluster id.
struct StoreFounding {
  uint32_t shards = 0;           // 0: not known
  uint32_t replicas = 0;         // wanted of each
  std::vector<NodeId> founders;  // ascending
  // 0: of the cluster's id. A restored cluster keeps the one that its states were made with.
  uint64_t seed = 0;
  bool operator==(const StoreFounding&) const = default;
};

// The replicas with which a shard begins: as many founders as wanted, in turn, but an odd number; of two,
// the first alone: two replicas would bear less than one.
raft::Configuration founding_voters(const StoreFounding& founding, uint32_t shard);

// Of the hashes that must be alike on all nodes.
uint64_t store_seed(const ClusterId& cluster, const StoreFounding& founding);

// What a node's disks are to hold of the store.
struct StorePlan {
  uint32_t shards = 0;  // of the cluster
  uint64_t cluster_seed = 0;
  // Groups that are not there are founded. Otherwise all must be there: a log that is lost is damage,
  // as a replica that forgot its vote may not go on as the same.
  bool found = false;
  struct Group {
    raft::GroupId id;
    raft::Configuration voters;
  };
  std::vector<Group> groups;  // that this node is a founding member of
  NodeId self;
};

}  // namespace shoal
