// Who wants what: the routes of this node's workers, told to all peers and all other workers; the
// routes of the peers, told to all workers.
//
// The own routes have a version that each change raises; peers get the whole in portions when a
// session begins, and the changes from then on. Lanes lose nothing, so a missing version or a digest
// that differs is a bug, which asks for the whole again.
//
// A subscription is *synced* when every other worker here has applied it, and so has every peer that
// is waited for: RoutesSynced.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include "cluster/core/context.h"
#include "cluster/core/pair.h"
#include "shoal/peers.h"

namespace shoal {

class Routes {
 public:
  // `open_pairs`: those with a session. `waited_for`: a SUBACK does not go
  // out before these have it.
  Routes(Context& context, std::function<std::vector<Pair*>()> open_pairs,
         std::function<std::vector<NodeId>()> waited_for);

  // Sees every change of what any place wants, as the workers are told; a node's that is gone are void.
  void watch(std::function<void(const PlacedRoute&)> change, std::function<void(NodeSlot)> gone) {
    watch_change_ = std::move(change);
    watch_gone_ = std::move(gone);
  }

  // ---- workers
  void on_batch(WorkerIndex worker, const RouteBatch& batch);
  void on_applied(WorkerIndex worker, uint64_t number);
  // To all workers, of a place that is none of a peer's. Returns a number that ascends.
  uint64_t tell_all(std::vector<PlacedRoute> routes);
  // All workers have applied what they were told up to this number.
  uint64_t applied_by_all() const;
  // Gives what is synced its answer: when the peers that are waited for may be fewer.
  void check_waits();

  // ---- peers
  void on_open(Pair& pair);
  void on_end(const Pair& pair);
  // False: the peer breaks the protocol.
  bool on_chunk(Pair& pair, const proto::RoutesChunk& chunk);
  bool on_delta(Pair& pair, const proto::RoutesDelta& delta);
  void on_wanted(Pair& pair);
  bool on_peer_applied(const Pair& pair, uint64_t version);
  void on_digest(Pair& pair, uint64_t version, uint64_t digest);
  // Next portions for the peers that still get the whole.
  void pump(Pair& pair);

  // ---- what is known
  uint64_t version() const { return version_; }
  uint64_t digest() const { return digest_; }
  // We have applied all of the peer's routes as they were at the session's beginning, it all of
  // ours, and those that a SUBACK went out for without it.
  bool is_synced_both_ways(const Pair& pair) const;
  // The peer has applied the whole: from now on every SUBACK waits for it.
  bool has_peer_applied_whole(const Pair& pair) const;
  // The worker has seen that the session began.
  bool has_worker_seen(const Pair& pair, WorkerIndex worker) const;
  uint64_t own_count() const;
  uint64_t count() const;
  uint64_t digest_of_all() const;

 private:
  using Weights = absl::flat_hash_map<std::string, RouteWeight>;

  // What a peer has told us, and has been told.
  struct Peer {
    // Its routes.
    std::array<Weights, kWorkersMax> routes;
    uint64_t version = 0;
    uint64_t digest = 0;
    bool is_whole = false;      // the last portion has come
    uint64_t whole_update = 0;  // and went to the workers with this update
    bool is_asked = false;      // for the whole again
    bool is_repair = false;     // the portions replace what is there
    std::array<Weights, kWorkersMax> repaired;
    struct Told {
      uint64_t update;
      uint64_t version;
    };
    std::deque<Told> told;    // to the workers, not yet applied by all
    uint64_t applied = 0;     // version that all workers have
    bool is_applied = false;  // and with it the whole
    uint64_t barrier = 0;     // update that followed PeerUp

    // Our routes there.
    bool is_sending = false;
    int send_worker = 0;
    std::string send_after;
    uint64_t whole_version = 0;
    bool is_sent = false;
    uint64_t peer_applied = 0;
    bool has_applied = false;
    uint64_t must_apply = 0;
  };
  struct Wait {
    uint64_t batch;
    uint64_t update;
    uint64_t version;
  };

  bool is_synced(WorkerIndex worker, const Wait& wait, const std::vector<NodeId>& waited_for) const;
  void announce(WorkerIndex worker, const std::vector<PlacedRoute>& changed);
  void note(const std::vector<PlacedRoute>& changed) const;
  uint64_t tell_workers(uint64_t workers, std::vector<PlacedRoute> routes);
  bool apply(Peer& peer, const Pair& pair,
             const google::protobuf::RepeatedPtrField<proto::Route>& routes,
             std::vector<PlacedRoute>& changed);
  void finish_repair(Peer& peer, const Pair& pair, std::vector<PlacedRoute>& changed);
  uint64_t tell(Peer& peer, std::vector<PlacedRoute> changed);
  void report_applied();
  void send_chunk(Pair& pair, Peer& peer);
  void ask_whole(Pair& pair, Peer& peer);
  Context& context_;
  std::function<std::vector<Pair*>()> open_pairs_;
  std::function<std::vector<NodeId>()> waited_for_;
  std::function<void(const PlacedRoute&)> watch_change_;
  std::function<void(NodeSlot)> watch_gone_;

  std::vector<absl::btree_map<std::string, RouteWeight>> own_;  // of each worker
  uint64_t version_ = 0;
  uint64_t digest_ = 0;
  uint64_t last_update_ = 0;
  std::vector<uint64_t> told_;     // the last update that each worker was sent
  std::vector<uint64_t> applied_;  // and has applied
  std::vector<std::deque<Wait>> waits_;
  uint64_t reported_ = 0;  // applied_by_all() as the peers were told of it
  uint64_t released_ = 0;  // highest version that a SUBACK may have gone out for

  std::map<NodeId, Peer> peers_;
};

}  // namespace shoal
