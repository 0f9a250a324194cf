// What becomes of each shard when so many nodes are gone for good that some shards have no majority left:
// decided from what the surviving nodes hold, by each of them alone and alike. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cluster/core/stored_state.h"
#include "cluster/raft/types.h"

namespace shoal::engine {

// A replica as the disks of a node that does not run have it.
struct HeldReplica {
  raft::GroupId group = {};
  raft::Term term = 0;
  raft::Index last = 0;  // that the log or the state holds; 0: it is empty
  raft::Term last_term = 0;
  raft::Index applied = 0;          // by the state
  std::vector<NodeId> voters = {};  // as the log has them, ascending
  bool operator==(const HeldReplica&) const = default;
};

struct NodeReport {
  NodeId node = {};
  uint64_t incarnation = 0;
  ClusterId cluster = {};
  uint32_t shards = 0;
  std::vector<StoredMember> members = {};
  std::vector<HeldReplica> held = {};  // ascending; at most one of each shard
};

struct ShardRecovery {
  enum class Kind : uint8_t {
    kWhole,    // a majority of its voters survives: nothing is done, and nothing lost
    kAlone,    // the replica of `node` goes on alone
    kFounded,  // nothing survives of it: it begins empty on `node`
  };
  uint32_t shard = 0;
  Kind kind = Kind::kWhole;
  NodeId node = {};                 // not of a whole one
  raft::Term term = 0;              // of the group that goes on
  raft::Index last = 0;             // of the replica that goes on
  std::vector<NodeId> voters = {};  // that it had
  bool operator==(const ShardRecovery&) const = default;
};

struct RecoveryPlan {
  std::vector<NodeId> survivors = {};
  std::vector<NodeId> lost = {};  // members until now
  uint64_t incarnation = 0;       // of the groups that are not whole
  std::vector<ShardRecovery> shards = {};
};

// Of all that survive. Otherwise why not; `names` says whose report each is.
std::variant<RecoveryPlan, std::string> plan_recovery(const std::vector<NodeReport>& reports,
                                                      const std::vector<std::string>& names);

}  // namespace shoal::engine
