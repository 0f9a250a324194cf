// The store as a part of the hub: joins replica::Store with the routes, the peers' sessions, the
// retained messages and the live sessions that messages of outboxes are for.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/forwarding.h"
#include "cluster/core/outbox_publisher.h"
#include "cluster/core/outbox_receiver.h"
#include "cluster/core/pair.h"
#include "cluster/core/retained.h"
#include "cluster/core/routes.h"
#include "cluster/replica/store.h"
#include "shoal/peers.h"

namespace shoal {

class HubStore {
 public:
  struct Surroundings {
    std::function<std::vector<NodeId>()> waited_for;
    std::function<Pair*(NodeId)> pair_of;
    std::function<Pair*(NodeSlot)> pair_at;
    // Holds leases of all who are waited for.
    std::function<bool()> may_promise;
  };
  HubStore(Context& context, Routes& routes, Forwarding& forwarding, Retained& retained,
           Surroundings around);

  void open(uint32_t shards, uint64_t cluster_seed, const std::vector<StoredReplica>& replicas,
            raft::LogReader& log);
  bool is_open() const { return store_ != nullptr; }

  // ---- this node
  void on_worker(WorkerIndex from, ToStore&& mail);
  bool is_nothing_stored(const std::string& client_id) const {
    return store_ && store_->is_nothing_stored(client_id);
  }
  void on_accept(WorkerIndex from, const AcceptOut& accept) { receiver_.on_accept(from, accept); }
  void on_retain_done(uint64_t number) { publisher_.on_retained(number); }
  // All connections are closed: whatever was asked in the life before is void.
  void begin_life();
  void check_routes();
  void on_tick();

  // ---- peers
  void on_session(const Pair& pair);
  void on_session_end(const Pair& pair);
  void on_life(const Pair& pair);  // another one began, in the same session
  // Lives up to this one are over.
  void on_gone(NodeId node, const Life& life);
  static bool is_store_frame(FrameKind kind);
  // False: the peer breaks the protocol.
  bool on_frame(const Pair& pair, const ParsedFrame& frame);
  void on_parcel(const Pair& pair, OutboxParcel&& parcel) {
    receiver_.on_parcel(pair.slot(), std::move(parcel));
  }
  // It may be given a lease.
  bool has_peer_all(NodeId peer) const { return store_ == nullptr || store_->has_peer_all(peer); }

  // ---- disks and servers
  void on_host(uint32_t shard, replica::HostEffects&& effects);
  void on_persisted(raft::GroupId group, uint64_t number);
  void on_flushed(uint32_t shard, raft::Index index);
  replica::StoreEffects* end_turn();

  // Every shard has a leader, and the workers here know its routes.
  bool is_ready() const { return store_ != nullptr && store_->is_ready(); }
  bool change(uint32_t shard, const raft::ChangeMember& change);
  bool transfer(uint32_t shard, NodeId to);
  void forget(uint32_t shard) { store_->forget(shard, context_.now); }
  // A cut of all shards; only once the store is open.
  void begin_backup() { store_->begin_backup(context_.now); }
  void end_backup() { store_->end_backup(context_.now); }
  replica::BackupCut* backup() const { return store_ ? store_->backup() : nullptr; }
  const replica::Store* store() const { return store_.get(); }
  // Messages that sessions lost by a limit that is configured, of shards that this node leads.
  const std::map<shard::DropReason, uint64_t>& dropped() const { return dropped_; }
  static const char* name_of(shard::DropReason reason);

 private:
  void check_leads();
  void publish_waiting();
  void answer_query(replica::StoreEffects::RetainedQuery& query);
  void send(replica::StoreEffects::Frame& frame);
  void send_answers();
  void note_drop(std::string owner, shard::DropReason reason);
  void log_drops();
  void on_answered(NodeSlot to, const OutboxReceiver::Answer& answer);
  WorkerIndex hub_worker() const { return static_cast<WorkerIndex>(context_.config.workers); }

  Context& context_;
  Routes& routes_;
  Retained& retained_;
  const Surroundings around_;
  std::unique_ptr<replica::Store> store_;
  OutboxPublisher publisher_;
  OutboxReceiver receiver_;
  std::vector<uint64_t> lead_terms_;                      // by shard; 0: it is not led here
  std::deque<replica::StoreEffects::Publish> publishes_;  // until it may promise
  std::map<NodeSlot, std::vector<OutboxReceiver::Answer>> answers_;  // of this turn
  // Of frames that come in pieces: of which peer, and whether on the bulk lane.
  std::map<std::pair<NodeSlot, bool>, std::vector<uint8_t>> joined_;
  std::map<NodeId, uint64_t> gone_;  // before the store was open: lives up to these
  uint64_t last_number_ = 0;         // of this hub's own publishes
  uint64_t last_retain_ = 0;
  std::map<shard::DropReason, uint64_t> dropped_;
  // Since the last line of the log: whose, and why.
  std::map<std::pair<std::string, shard::DropReason>, uint64_t> fresh_drops_;
  Instant next_drop_log_{};
};

}  // namespace shoal
