// What `ctl members`, /readyz and /metrics show of a hub.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/stored_state.h"
#include "shoal/types.h"

namespace shoal {

enum class MemberState : uint8_t {
  kSelf,
  kInSync,   // sessions, routes and leases are as they should be
  kSyncing,  // connected, not in sync yet
  kSilent,   // not heard from, and waited for
  kGivenUp,  // the others go on without it
  kLeft,
};
const char* name_of(MemberState state);

struct MemberStatus {
  NodeId id;
  NodeSlot slot = kSelf;  // as the workers know it; kSelf for one that was never met
  std::string name;
  std::string address;
  MemberState state = MemberState::kSilent;
  uint64_t incarnation = 0;
  uint32_t speaks = 0;   // the highest version of the protocol, as last known
  uint32_t clients = 0;  // as the node says itself, as the rest up to `draining`
  uint64_t routes = 0;
  uint64_t messages_in = 0;
  uint64_t messages_out = 0;
  bool ready = false;
  bool draining = false;
  Duration rtt;               // of the last heartbeat
  Duration lease_left;        // of the lease that it granted us; 0: none
  uint64_t forwarded = 0;     // messages that we sent to it
  uint64_t received = 0;      // messages that it sent to us
  uint64_t queued_bytes = 0;  // waiting for its window
};

struct ReplicaStatus {
  NodeId node;
  bool is_voter = false;
  uint64_t lag = 0;  // entries that it is behind, as far as this node knows
};

// A shard as this node knows it. Of what has no replica here only the first two are told.
struct ShardStatus {
  uint32_t shard = 0;
  NodeId leader;  // none is known: 0
  uint64_t term = 0;
  bool is_here = false;
  bool is_leader = false;  // this node
  uint64_t last = 0;       // index of the log
  uint64_t commit = 0;
  uint64_t applied = 0;
  std::vector<ReplicaStatus> replicas;
  uint64_t sessions = 0;
  uint64_t attached = 0;  // of them
  uint64_t expired = 0;   // ended so
  uint64_t queued = 0;
  uint64_t bytes = 0;
  uint32_t outbox = 0;
};

// Where the replicas of a shard are, as its leader told, and where they should be.
struct PlacementStatus {
  uint32_t shard = 0;
  NodeId leader;  // 0: none is known that has told, and so what follows
  std::vector<NodeId> voters;
  std::vector<NodeId> learners;  // that get a copy
  uint64_t lag = 0;              // entries that these are behind
  std::vector<NodeId> wanted;    // empty: not known yet
};

// A backup that is read from this node, and what there is to know of the cluster for it.
struct BackupStatus {
  uint64_t id = 0;
  uint64_t seed = 0;  // by which client ids and topics are divided among the shards
  uint32_t shards = 0;
  uint32_t replicas = 0;  // wanted of each
  uint64_t bytes = 0;     // of all of it, about
};

struct HubStatus {
  bool ready = false;
  std::string reason;  // why not, in words
  bool draining = false;
  NodeId id;
  ClusterId cluster;
  int majority = 0;
  uint32_t level = 0;         // version of the protocol that the cluster is at
  uint32_t protocol_max = 0;  // that this node speaks
  uint64_t routes = 0;        // of all places, this node's too
  uint64_t claims = 0;        // of this node
  uint64_t retained = 0;
  uint64_t retained_bytes = 0;
  uint64_t forwarded_dropped = 0;  // messages for a peer that was gone
  uint64_t retained_dropped = 0;   // writes above Limits::retained_bytes_max
  // Messages that durable sessions lost by a limit, by its name, of shards that this node leads.
  std::vector<std::pair<std::string, uint64_t>> store_dropped;
  std::vector<MemberStatus> members;
  std::vector<ShardStatus> shards;
  std::vector<PlacementStatus> placements;
  std::string level_waits;     // why no replica is moved that could stay; empty: no reason
  bool leaving = false;        // its replicas are to be elsewhere
  uint32_t replicas_here = 0;  // that have to move before it leaves
  uint32_t places_open = 0;    // that nobody can take: for the next node, when it has left
  std::string leaving_waits;   // why it cannot leave now; empty: no reason
};

// What the runtime tells the hub about its own workers, for the tables of the others.
struct OwnFigures {
  uint32_t clients = 0;
  uint64_t messages_in = 0;
  uint64_t messages_out = 0;
};

}  // namespace shoal
