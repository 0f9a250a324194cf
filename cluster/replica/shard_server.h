// One replica of a shard: applies what is committed, and when its group leads and serves, does what a
// leader does beyond Raft. It answers nodes' numbered ops, gives attached sessions their messages,
// sends the outbox, shares out what groups hold, replays retained messages, lets time pass and
// detaches the sessions of nodes that are gone. Pure: no I/O, no clock. One thread.
//
// What a leader knows beyond the state (which sessions' nodes have begun with it, what was sent to
// them, what of the outbox is on its way) ends with its term; its successor makes it anew from the
// state and from what nodes say when they begin.
//
// A turn: any number of on_… calls, then end_turn().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/raft/types.h"
#include "cluster/replica/attachments.h"
#include "cluster/replica/outbox_holds.h"
#include "cluster/replica/outbox_sender.h"
#include "cluster/replica/server_effects.h"
#include "cluster/replica/sharers.h"
#include "cluster/replica/takers.h"
#include "cluster/shard/shard_state.h"
#include "shoal/types.h"

namespace shoal::replica {

class ShardServer {
 public:
  struct Options {
    uint32_t shard = 0;
    uint32_t shards = 1;               // of the cluster
    uint64_t cluster_seed = 0;         // shard::cluster_seed_of()
    uint64_t router_seed = 0;          // of this process
    size_t entry_bytes = 256 * 1024;   // of ops in one entry, about
    size_t unread_bytes = 256 * 1024;  // given to one session and not yet on its way to the client
    uint64_t copy_rate = 0;  // bytes a second of copies for others; 0: as fast as they take them
    // A leader that finds others in the state puts these there.
    shard::ShardLimits limits = shard::ShardState::default_limits();
  };

  ShardServer(const Options& options, shard::KeyValues& values);

  // ---- the group
  void on_committed(std::span<const raft::Entry> entries);
  // `serving`: this replica leads since `term` began, and has applied an entry of that.
  void on_role(bool serving, uint64_t term, int64_t wall_ms);

  // ---- nodes
  void on_request(NodeId from, const proto::StoreRequest& request, int64_t wall_ms);
  // It came with this incarnation: sessions of earlier ones are not attached any more.
  void on_node(NodeId node, uint64_t incarnation);
  // Given up, up to this incarnation.
  void on_node_gone(NodeId node, uint64_t incarnation);

  // ---- answers to ServerEffects
  void on_targets(uint64_t number, uint64_t shards);
  void on_published(uint64_t number);
  void on_picks(uint64_t number, std::vector<shard::OutboxPick> picks);
  void on_outbox_answer(uint32_t from_shard, const OutboxSender::Answer& answer);
  // Another shard has a new leader: what it did not answer goes out again.
  void on_shard_leader(uint32_t shard);
  // From another shard's leader: its outbox item, or a member that has room.
  void on_ops(std::string_view ops, uint32_t count, int64_t wall_ms);
  void on_want(const std::string& group, const std::string& client_id, uint32_t room);
  void on_retained(const ServerEffects::RetainedQuery& query,
                   std::span<const shard::MessageSpec> messages, const std::string& after,
                   bool done);

  // ---- cuts for backups: while it serves
  // From now on, or for longer, nothing that is in the outbox leaves it, and nothing new of it is sent.
  void hold(uint64_t cut) { holds_.hold(cut); }
  bool is_held(uint64_t cut) const { return holds_.has(cut); }
  // False: it was not held any more.
  bool release(uint64_t cut) { return holds_.release(cut); }
  // The number of an entry that is made now, in this term.
  uint64_t add_barrier();
  bool has_applied(uint64_t entry) const { return entries_applied_ >= entry; }

  // Every 50 ms or so.
  void on_tick(int64_t wall_ms);

  ServerEffects& end_turn();

  // Of the last entry that was given, command or not; 0: none yet.
  raft::Index applied_index() const { return applied_index_; }
  bool is_serving() const { return serving_; }
  uint64_t term() const { return term_; }
  const shard::ShardState& state() const { return state_; }
  bool is_too_new() const { return is_too_new_; }

 private:
  static constexpr uint64_t kSayWantsTicks = 20;

  template <class Op>
  void add(const Op& op);
  void begin_serving();
  void on_question(NodeId from, const proto::StoreQuestion& question);
  void begin(NodeId from, const proto::StoreRequest& request);
  void detach_all(NodeId node, uint64_t before);
  void close_entry();
  void pump_outbox();
  void pump_replays();

  // server_telling.cc
  void carry_out();
  void answer(const shard::Effects::Done& done);
  void tell_uploaded(const shard::Effects::Uploaded& uploaded);
  void answer_subscribing();
  void attach(const std::string& client_id, const shard::SessionRecord& session, uint64_t next);
  void tell_connected(const std::string& client_id, const shard::SessionRecord& session);
  proto::StoreReply* reply_to(NodeId node, uint64_t incarnation);

  const Options options_;
  shard::ShardState state_;
  bool is_too_new_ = false;
  raft::Index applied_index_ = 0;
  shard::Effects applied_;  // of the entry that is carried out
  SessionChanges sessions_;
  ServerEffects effects_;

  bool serving_ = false;
  uint64_t term_ = 0;
  int64_t wall_ms_ = 0;
  uint64_t routes_version_ = 0;  // of the last change of routes
  std::string ops_;              // of the entry that is being made
  uint32_t op_count_ = 0;
  uint64_t entries_made_ = 0;  // in this term
  uint64_t entries_applied_ = 0;
  uint64_t ticks_ = 0;
  bool is_ticking_ = false;  // a Tick is in an entry that is not applied yet:
  uint64_t tick_entry_ = 0;
  struct Node {
    uint64_t incarnation = 0;
    uint64_t gone_before = 0;  // sessions of incarnations before this one are to be detached
    bool begun = false;        // with this leader
    uint64_t beginning = 0;
  };
  std::map<NodeId, Node> nodes_;
  std::map<NodeId, proto::StoreReply> replies_;  // of this turn
  Attachments attachments_;
  OutboxSender outbox_;
  OutboxHolds holds_;
  std::vector<uint64_t> answered_;  // of the outbox: to leave it
  std::vector<uint64_t> picked_;    // to be told
  // Of Subscribes with shared filters, while the groups' shards have not answered.
  std::vector<shard::Effects::Done> subscribing_;
  Takers takers_;
  Sharers sharers_;
  // (client id, filter) of open replays; when the next portion may be asked for: with this entry
  // applied, or when the last one has come.
  static constexpr uint64_t kAskReplay = 0;
  static constexpr uint64_t kReplayAsked = UINT64_MAX;
  std::map<std::pair<std::string, std::string>, uint64_t> replays_;
};

}  // namespace shoal::replica
