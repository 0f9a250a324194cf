// A node's part in the store, as its hub has it: the Raft groups of its replicas, its workers' asks,
// the shards' routes, and the way between these, the ShardServers of this node and its peers. Pure: no
// I/O, no clock. One thread, that of the hub.
//
// A turn: any number of on_… calls, then end_turn().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cluster/replica/backup_cut.h"
#include "cluster/replica/groups.h"
#include "cluster/replica/session_ids.h"
#include "cluster/replica/shard_host.h"
#include "cluster/replica/shard_routes.h"
#include "cluster/replica/store_client.h"
#include "cluster/replica/to_server.h"
#include "shoal/peers.h"

namespace shoal::replica {

enum class StoreFrame : uint8_t {
  kRaft = 1,
  kLeader,
  kRequest,
  kReply,
  kRoutes,
  kRoutesApplied,
  kOps,
  kOutboxAnswer,
  kWant,
  kCopyPortion,  // on the bulk lane
  kCopyAck,
  kBackupAsk,
  kBackupTold,
  kBackupPortion,  // on the bulk lane
};
constexpr uint8_t kStoreFrames = 14;
constexpr bool is_bulk(StoreFrame kind) {
  return kind == StoreFrame::kCopyPortion || kind == StoreFrame::kBackupPortion;
}

struct StoreEffects {
  struct Frame {
    NodeId to;
    StoreFrame kind{};
    std::string bytes;
  };
  struct ToShard {
    uint32_t shard = 0;
    ToServer mail;
  };
  std::vector<Frame> frames;
  std::vector<ToShard> servers;  // of this node
  std::vector<ClientEffects::Mail> mails;
  // Writes, cuts and configurations; the others are among `servers` already.
  raft::Effects raft;
  // Messages dropped by a configured limit, of shards that this node leads.
  std::vector<shard::Effects::Drop> drops;
  struct RetainedQuery {
    uint32_t shard = 0;
    ServerEffects::RetainedQuery query;
  };
  std::vector<RetainedQuery> retained_queries;
  // Messages of the outbox of shards that this node leads: to be matched with all routes, and given to
  // live sessions, of which each takes a number of a shard once.
  struct Publish {
    uint32_t shard = 0;
    uint64_t number = 0;
    uint64_t least = 0;  // none below this comes again, whoever leads
    MessageRef message;
    bool is_will = false;                  // what it retains nobody has written
    std::string group;                     // a shared subscription: to who shares that alone
    std::vector<shard::OutboxPick> picks;  // that an earlier leader may have sent it to
  };
  std::vector<Publish> publishes;
  // Picks that on_picks() told are durable: once for each call, in the order of a shard's.
  struct Picked {
    uint32_t shard = 0;
    uint64_t number = 0;
  };
  std::vector<Picked> picked;

  void clear() { *this = StoreEffects(); }
};

class Store {
 public:
  struct Options {
    NodeId self;
    uint64_t incarnation = 0;
    uint64_t seed = 0;
    uint32_t shards = 1;
    uint64_t cluster_seed = 0;
    int workers = 1;
    size_t piece_bytes = StoreClient::Options().piece_bytes;
    unsigned trailing = Groups::Options().trailing;
    uint64_t uncommitted_entries_max = Groups::Options().uncommitted_entries_max;
  };
  // What of the hub it needs; see ShardRoutes.
  struct Surroundings {
    std::function<uint64_t(std::vector<PlacedRoute>)> tell_workers;
    std::function<uint64_t()> applied;
    std::function<std::vector<NodeId>()> waited_for;
  };
  Store(const Options& options, Surroundings surroundings, raft::LogReader& log);

  // This node's sessions of before are gone, and what was asked for them is void.
  void begin_life(uint64_t incarnation, Now now);

  // A replica of this node; before all else.
  void add(raft::GroupId group, const raft::Recovered& recovered, Now now);

  // ---- workers
  void on_worker(WorkerIndex from, ToStore&& mail, Now now);
  // Of the client id, for sure, as the leader would answer: this node leads its shard, and no CONNECT
  // of it is on its way from here. False says nothing.
  bool is_nothing_stored(const std::string& client_id) const;
  // They have applied routes, or others are waited for.
  void check_routes(Now now);

  // ---- the outbox (StoreEffects::publishes), in the order of a shard's numbers
  void on_targets(uint32_t shard, Targets&& targets) { to_server(shard, std::move(targets)); }
  void on_published(uint32_t shard, uint64_t number) { to_server(shard, Published{number}); }
  void on_picks(uint32_t shard, Picks&& picks) { to_server(shard, std::move(picks)); }

  // ---- peers
  void on_peer(NodeId peer, uint64_t incarnation, Now now);  // a session begins
  void on_peer_end(NodeId peer, Now now);                    // and ends
  // In the session: the peer's sessions of before are gone. What it leads it goes on leading.
  void on_peer_life(NodeId peer, uint64_t incarnation, Now now);
  void on_peer_gone(NodeId peer, uint64_t incarnation, Now now);  // given up: lives up to this one
  // False: it breaks the protocol.
  bool on_frame(NodeId from, StoreFrame kind, std::span<const uint8_t> bytes, Now now);

  // ---- this node's servers and disks
  void on_host(uint32_t shard, HostEffects&& effects, Now now);
  void on_retained(uint32_t shard, RetainedFound&& found);
  void on_persisted(raft::GroupId group, uint64_t number, Now now);
  void on_flushed(uint32_t shard, raft::Index index, Now now);

  // Of a shard that this node leads: a replica more or less. False: not now.
  bool change(uint32_t shard, const raft::ChangeMember& change, Now now);
  // Of a shard whose leader told, as committed, that it has no replica here: what is left of one goes.
  void forget(uint32_t shard, Now now);
  // The leadership goes to another voter. False: not now.
  bool transfer(uint32_t shard, NodeId to, Now now);
  bool leads(uint32_t shard) const { return leads_[shard].serves; }
  // Since which term; 0: it does not lead.
  uint64_t lead_term(uint32_t shard) const { return leads(shard) ? leads_[shard].term : 0; }

  // A cut of all shards, which the caller reads; it takes the place of an earlier one.
  void begin_backup(Now now);
  void end_backup(Now now);
  BackupCut* backup() { return backup_.get(); }

  void on_tick(Now now);

  StoreEffects& end_turn();

  // Every shard has a leader, and this node's workers know its routes.
  bool is_ready() const;
  // Whether the peer knows the routes of all shards that this node leads.
  bool has_peer_all(NodeId peer) const { return routes_.has_peer_all(peer); }
  const StoreClient& client() const { return *client_; }
  const Groups& groups() const { return groups_; }
  const ShardRoutes& routes() const { return routes_; }
  // Of a replica here.
  const HostEffects::Figures& figures(uint32_t shard) const { return figures_[shard]; }
  const SessionIds& session_ids(uint32_t shard) const { return session_ids_[shard]; }

 private:
  StoreClient::Options client_options(uint64_t incarnation) const;
  void send(NodeId to, StoreFrame kind, const google::protobuf::MessageLite& message);
  void to_server(uint32_t shard, ToServer mail);
  void to_leader(uint32_t shard, StoreFrame kind, const google::protobuf::MessageLite& message,
                 ToServer own);
  void on_server(uint32_t shard, uint64_t term, ServerEffects&& effects);
  void on_role(const raft::Effects::RoleChange& role);
  void want_copy(const raft::Effects::SendSnapshot& wanted);
  void on_portion(NodeId from, proto::CopyPortion&& portion);
  void on_copy_ack(NodeId from, const proto::CopyAck& ack);
  void end_copy(uint32_t shard, NodeId to, uint64_t stream);
  bool is_copying(uint32_t shard, NodeId to, uint64_t stream) const;
  void on_begun(uint32_t shard, const HostEffects::Begun& begun);
  void on_copied(uint32_t shard, const HostEffects::Done& done);
  void on_backup_ask(NodeId from, const proto::BackupAsk& ask);
  void on_backup_told(NodeId from, proto::BackupTold&& told);
  void tell_backup(BackupParts::Told&& told);
  void introduce(uint32_t shard);
  void write(raft::Effects::Persist&& persist);
  void tell_leader(uint32_t shard, NodeId peer);
  void learn_leader(uint32_t shard, NodeId node, uint64_t term);
  void deliver_reply(NodeId to, proto::StoreReply&& reply);
  void deliver_answer(uint32_t shard, const shard::Effects::OutboxAnswer& answer);

  const Options options_;
  Now now_;
  StoreEffects effects_;
  Groups groups_;
  std::unique_ptr<StoreClient> client_;
  ShardRoutes routes_;
  std::map<NodeId, uint64_t> peers_;  // with a session: incarnations
  std::map<NodeId, uint64_t> gone_;   // up to which incarnation
  uint64_t incarnation_ = 0;          // of this node
  struct Lead {
    bool serves = false;
    uint64_t term = 0;
  };
  std::vector<Lead> leads_;  // of this node
  std::vector<HostEffects::Figures> figures_;
  std::vector<SessionIds> session_ids_;  // of the replicas here
  // Writes of a shard behind one that makes a copy the state, which has to be done first.
  std::map<uint32_t, std::deque<raft::Effects::Persist>> installing_;
  struct Copy {
    uint64_t stream = 0;
    raft::SnapshotMeta meta;  // of what is sent, once it has begun
  };
  std::map<std::pair<uint32_t, NodeId>, Copy> copies_;  // that this node is to send
  std::map<uint32_t, HostEffects::Staged> coming_;      // the last that began to come, of a shard
  std::unique_ptr<BackupCut> backup_;
  uint64_t backups_ = 0;  // begun so far
};

}  // namespace shoal::replica
