// Where the replicas of all shards are, where they should be, and what this node does about those that it
// leads: the next step of each (placement.h), one move in the cluster at a time.
//
// Each leader tells all peers where its shards' replicas are. So everybody sees the same moves to be made,
// and the lowest shard that can move is next, whoever leads it. That is no lock: where two begin at once,
// both go on. What replaces a replica that is gone waits for nobody but the leader's own copies.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/hub_store.h"
#include "cluster/core/leases.h"
#include "cluster/core/members.h"
#include "cluster/core/pair.h"
#include "cluster/core/placement.h"
#include "cluster/core/placement_targets.h"
#include "cluster/core/store_plan.h"

namespace shoal {

class Placing {
 public:
  struct Surroundings {
    std::function<const Pair*(NodeId)> pair_of;
    std::function<std::vector<Pair*>()> open_pairs;
  };
  // All outlive this; the store may be null, and need not be open.
  Placing(Context& context, const Members& members, const Leases& leases,
          const StoreFounding& founding, const std::unique_ptr<HubStore>& store,
          Surroundings around);

  void on_tick();
  // A session begins: it is told of all that this node leads.
  void on_session(Pair& pair);
  // False: the peer breaks the protocol.
  bool on_told(NodeId from, const proto::ShardPlacement& message);

  // ---- leaving (placing_leaving.cc)
  // Of this node's replicas, if it leaves.
  struct Departures {
    uint32_t moving = 0;  // to others
    uint32_t open = 0;    // nobody is there that could take them: they leave their places open
    uint32_t held = 0;    // nor have the others a majority without them
    std::string waits;    // why it cannot leave, even without those that move; empty: no reason
  };
  // They are to be elsewhere.
  Departures leave();
  void stay() { is_leaving_ = false; }
  bool is_leaving() const { return is_leaving_; }
  Departures departures();
  // Why it cannot leave now, with all that is here; empty: no reason.
  std::string why_not_at_once();

  using Targets = std::vector<std::vector<NodeId>>;
  // Of each shard the voters that it should have; empty as long as the zone and the weight of a node are not
  // known. Until the next call.
  const Targets& wanted();
  std::vector<PlacementStatus> status();
  // Why nothing that is there already is moved; empty: no reason.
  std::string why_not_level() const;

 private:
  struct Told {
    NodeId leader;  // 0: nobody has
    uint64_t term = 0;
    uint64_t index = 0;
    raft::Configuration servers;
    uint64_t lag = 0;
  };

  bool is_open() const { return store_ && store_->is_open(); }
  const replica::Store& store() const { return *store_->store(); }
  bool leads(uint32_t shard) const { return store().leads(shard); }
  const raft::RaftGroup& group(uint32_t shard) const { return *store().groups().find(shard); }

  // ---- nodes
  bool is_here(NodeId id) const { return id == context_.self || leases_.is_in_sync(id); }
  bool is_leaving(NodeId id) const;
  bool is_replaced(NodeId id) const;
  bool is_met(NodeId id) const;
  void note_away();
  std::vector<TargetNode> nodes() const;
  std::vector<NodeId> here() const;
  // So many others that one's replicas can be elsewhere.
  bool is_enough(size_t here, size_t members) const;

  // ---- leaving
  std::vector<NodeId> reached() const;
  bool are_others_majority() const;
  std::string why_not_without(uint32_t shards, uint32_t alone) const;
  std::string missed() const;
  void note_leaving();
  const raft::Configuration* servers_of(uint32_t shard) const;
  // Of each replica here.
  using Replica = std::function<void(const raft::Configuration&, const PlacementView&)>;
  void each_replica_here(const Replica& replica);

  // ---- what leaders tell
  void note_led();
  void tell(Pair& pair, uint32_t shard) const;
  const Told* told(uint32_t shard) const;

  // ---- steps
  // What the views of all shards share.
  struct Views {
    const Targets& wanted;
    std::vector<NodeId> nodes;
    std::vector<NodeId> here;
  };
  Views views(std::vector<NodeId> here);
  PlacementView view_of(uint32_t shard, const raft::Configuration& servers,
                        const Views& views) const;
  bool may_found_anew() const;
  bool is_busy(uint32_t shard) const;
  bool is_copy_under_way(uint32_t shard) const;
  bool is_any_moving() const;
  void repair(const Views& views);
  void level(const Views& views);
  void forget();
  bool take(uint32_t shard, const PlacementStep& step);

  Context& context_;
  const Members& members_;
  const Leases& leases_;
  const StoreFounding& founding_;
  const std::unique_ptr<HubStore>& store_;
  const Surroundings around_;
  bool is_leaving_ = false;
  std::string leaving_waits_;  // as it was logged last
  Instant last_step_{};
  Instant last_lag_{};
  Instant steady_since_{};                // it has held all leases
  std::map<NodeId, Instant> away_since_;  // members that are not in sync
  std::vector<Told> told_;                // by shard
  // Of the nodes as they were last; without nodes nothing is known.
  std::vector<TargetNode> target_nodes_;
  Targets targets_;
};

}  // namespace shoal
