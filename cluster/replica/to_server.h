// What a node's Store tells the ShardServers of its replicas: plain values, from thread to thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cluster/raft/types.h"
#include "cluster/replica/outbox_sender.h"
#include "cluster/replica/server_effects.h"
#include "proto/shoal/store.pb.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal::replica {

struct Committed {
  std::vector<raft::Entry> entries;
};
struct Role {
  bool serving = false;
  uint64_t term = 0;
};
struct NodeRequest {
  NodeId from;
  proto::StoreRequest request;
};
struct NodeHere {
  NodeId node;
  uint64_t incarnation = 0;
};
struct NodeGone {
  NodeId node;
  uint64_t incarnation = 0;  // up to this one
};
struct Targets {
  uint64_t number = 0;
  uint64_t shards = 0;
};
struct Published {
  uint64_t number = 0;
};
struct Picks {
  uint64_t number = 0;
  std::vector<shard::OutboxPick> picks;
};
struct OutboxAnswered {
  uint32_t from_shard = 0;
  OutboxSender::Answer answer;
};
struct LeaderChanged {
  uint32_t shard = 0;  // of another one
};
struct OpsFromShard {
  std::string ops;
  uint32_t count = 0;
};
struct MemberWants {
  std::string group;
  std::string client_id;
  uint32_t room = 0;
};
struct RetainedFound {
  ServerEffects::RetainedQuery query;
  std::vector<MessageRef> messages;
  std::string after;
  bool done = false;
};

// Copies of states (shard_host.h).
struct CopyWanted {
  NodeId to;
  uint64_t stream = 0;
  raft::Index least = 0;  // as of which it must be
};
struct CopyAcked {
  NodeId from;
  uint64_t stream = 0;
  uint64_t number = 0;
  bool refused = false;  // the copy is over
};
struct CopyCame {
  NodeId from;
  proto::CopyPortion portion;
};
// The copy that is here whole, as of this index, becomes the state.
struct InstallCopy {
  raft::Index index = 0;
};
// The replica is none any more: its state goes.
struct ForgetState {};
// The session with it is over: copies to it, and from it, stand still.
struct PeerLost {
  NodeId peer;
};

// Of a node that takes a cut for a backup (backup_parts.h).
struct BackupAsked {
  NodeId from;
  proto::BackupAsk ask;
};

using ToServer =
    std::variant<Committed, Role, NodeRequest, NodeHere, NodeGone, Targets, Published, Picks,
                 OutboxAnswered, LeaderChanged, OpsFromShard, MemberWants, RetainedFound,
                 CopyWanted, CopyAcked, CopyCame, InstallCopy, ForgetState, PeerLost, BackupAsked>;

class ShardServer;
// Carries it to the server; not what is of copies and backups.
void give(ShardServer& server, ToServer&& mail, Now now);

}  // namespace shoal::replica
