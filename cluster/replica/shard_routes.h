// What the shards of the cluster want, as one node knows it: each shard's routes as its leader
// announced them, told to this node's workers as Place{kShards, shard}; and of the shards that this
// node leads itself, which peers have them.
//
// Routes of a shard are replaced by those of a later term, never withdrawn because a node is gone: a
// publish waits for a leader. What a leader answers (ServerEffects::Reply) waits until all that are
// waited for have the routes before it: so a SUBACK finds everybody prepared.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <absl/container/btree_map.h>

#include "cluster/replica/server_effects.h"
#include "proto/shoal/store.pb.h"
#include "shoal/peers.h"

namespace shoal::replica {

class ShardRoutes {
 public:
  struct Surroundings {
    // Tells all workers, and gives a number that ascends.
    std::function<uint64_t(std::vector<PlacedRoute>)> tell_workers;
    // All workers have applied what was told up to this number.
    std::function<uint64_t()> applied;
    // Peers without whose knowledge nothing is answered.
    std::function<std::vector<NodeId>()> waited_for;
    std::function<void(NodeId to, const proto::ShardRoutes&)> send;
    std::function<void(NodeId to, const proto::ShardRoutesApplied&)> send_applied;
    // What was held goes out.
    std::function<void(NodeId to, proto::StoreReply&&)> reply;
    std::function<void(uint32_t shard, const shard::Effects::OutboxAnswer&)> answer;
  };
  ShardRoutes(uint32_t shards, Surroundings surroundings);

  // ---- shards that this node leads
  void on_lead(uint32_t shard, uint64_t term);
  void on_lead_end(uint32_t shard);
  void on_own(uint32_t shard, ServerEffects::Routes&& routes, const std::vector<NodeId>& peers);
  void hold(uint32_t shard, ServerEffects::Reply&& reply);
  void hold(uint32_t shard, const ServerEffects::OutboxAnswer& answer);
  void on_peer(NodeId peer);  // a session with it begins
  void on_peer_end(NodeId peer);
  void on_peer_applied(NodeId peer, const proto::ShardRoutesApplied& applied);

  // ---- shards that peers lead
  void on_peer_routes(NodeId from, const proto::ShardRoutes& routes);

  // After workers have applied, or others are waited for.
  void check();

  // The routes are those of this term's leader, and all workers have them.
  bool is_known(uint32_t shard, uint64_t term) const;
  // The peer has all that answers went out for.
  bool has_peer_all(NodeId peer) const;
  size_t held(uint32_t shard) const { return led_[shard].held.size(); }
  uint64_t digest() const;

 private:
  using Weights = absl::btree_map<std::string, RouteWeight>;
  struct Told {
    uint64_t update;  // to the workers
    uint64_t version;
  };
  struct Known {
    uint64_t term = 0;
    uint64_t version = 0;
    bool is_whole = false;
    Weights routes;
    Weights coming;  // a whole set in portions
    NodeId from;     // none: this node leads
    std::deque<Told> told;
    uint64_t applied_version = 0;  // by all workers
    bool is_applied = false;       // with the whole set
  };
  struct Held {
    uint64_t after_routes = 0;
    NodeId to;
    std::variant<proto::StoreReply, shard::Effects::OutboxAnswer> what;
  };
  struct Led {
    bool leads = false;
    uint64_t term = 0;
    std::map<NodeId, uint64_t> applied;  // version at peers
    std::deque<Held> held;
    uint64_t released = 0;  // the highest after_routes of what went out
  };

  void change(uint32_t shard, std::vector<RouteChange> changes);
  void replace(uint32_t shard, Weights&& by);
  void send_whole(uint32_t shard, NodeId to);
  void release(uint32_t shard);
  void report(uint32_t shard);

  Surroundings around_;
  std::vector<Known> known_;
  std::vector<Led> led_;
};

}  // namespace shoal::replica
