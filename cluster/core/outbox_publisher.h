// The live part of what comes out of the outboxes of shards that this node leads: messages that must
// come once, of durable publishers at QoS 2, and wills. Each is matched here with all routes; shards
// are told by the store, live sessions of each node by one parcel, and of each shared subscription that
// matches one place is picked, as a worker does it. A message is published when all have answered.
//
// Another leader sends again what was not done: a node tells it from what it had (OutboxReceiver). What
// may come once alone (QoS 2) goes to a picked place when the pick is durable, and to no other unless
// that one certainly does not have it [MQTT5-4.8.2-5].
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/forwarding.h"
#include "cluster/core/pair.h"
#include "cluster/replica/store.h"
#include "cluster/shard/op_parts.h"
#include "node/rules/router.h"
#include "shoal/message.h"
#include "shoal/peers.h"
#include "shoal/session_store.h"

namespace shoal {

class OutboxPublisher {
 public:
  struct Surroundings {
    std::function<Pair*(NodeSlot)> pair_at;
    std::function<Pair*(NodeId)> pair_of;
    std::function<void(OutboxParcel&&)> deliver_here;
    // The shards whose plain subscriptions match; for each outbox in the order of its numbers.
    std::function<void(uint32_t shard, uint64_t number, uint64_t shards)> targets;
    std::function<void(uint32_t shard, uint64_t number)> published;
    // To the members of a shared subscription that are the shard's, `item` once whoever sends it; then
    // on_shard_has(). Returns its number.
    std::function<uint64_t(uint32_t shard, const std::string& group, const MessageRef&,
                           const PickedItem& item)>
        to_group;
    // Writes the retained message; then on_retained(). Returns its number.
    std::function<uint64_t(const MessageRef&)> retain;
    // Makes picks durable; then on_picked(), once for each call.
    std::function<void(uint32_t shard, uint64_t number, std::vector<shard::OutboxPick>)> picks;
    // Nobody shares any more: it is dropped.
    std::function<void(const std::string& group)> nobody;
  };
  OutboxPublisher(Context& context, Forwarding& forwarding, Surroundings around);

  // ---- routes, of the workers here too (kSelf)
  void on_route(const PlacedRoute& route);
  void on_routes_gone(NodeSlot node) { router_.drop_node(node); }
  // A session with it begins: what it has not answered goes again, unless its clients are others by now
  // (`life`).
  void on_session(NodeSlot node, uint64_t life);
  // Its clients are gone.
  void on_node_gone(NodeSlot node);
  // Of this node, too, and on_shard_has() does not come for what was told before.
  void on_own_life();

  // This node leads it anew since this term, or no more (0): another may have done what is open here.
  void on_lead(uint32_t shard, uint64_t term);

  // What it retains is written here if it is a will; that of a publisher was before it was acknowledged.
  void publish(replica::StoreEffects::Publish&& item);
  void on_picked(uint32_t shard, uint64_t number);
  // `from` kSelf: the workers here.
  void on_answer(NodeSlot from, uint32_t shard, uint64_t number, uint32_t part, bool placed);
  void on_retained(uint64_t number);
  void on_shard_has(uint64_t number);
  size_t open() const { return open_.size(); }

 private:
  using Key = std::pair<uint32_t, uint64_t>;  // shard, number
  // One shared subscription of a message; its part is its place in the list, from 1 on.
  struct Pick {
    std::string filter;
    Place place;
    bool is_sent = false;
    bool is_done = false;
    TriedPlaces tried;
  };
  struct Open {
    MessageRef message;
    // Nodes whose plain subscriptions are not answered for, with their workers.
    std::map<NodeSlot, uint64_t> plain;
    std::vector<Pick> picks;
    std::deque<std::vector<uint32_t>> unrecorded;  // parts, as they were asked for
    size_t waits = 1;                              // for these and others; 1 is the sending itself
  };

  void forget(Key key);
  uint64_t match(const Key& key, Open& open);
  void pick_all(const Key& key, Open& open, const std::vector<shard::OutboxPick>& made);
  bool pick_again(Pick& pick);
  void record(const Key& key, Open& open, std::vector<uint32_t> parts);
  void use(const Key& key, Open& open, const std::vector<uint32_t>& parts);
  void give_shard(const Key& key, uint32_t part);
  Place place_of(const shard::OutboxPick& pick) const;
  void send(NodeSlot to, const Key& key, const Open& open, uint32_t part, uint64_t workers,
            const std::string& filter);
  void progress(const Key& key);

  Context& context_;
  Forwarding& forwarding_;
  const Surroundings around_;
  Router router_;
  std::map<Key, Open> open_;
  std::map<NodeSlot, uint64_t> lives_;  // of those with whom there was a session
  std::map<uint32_t, uint64_t> least_;  // by shard
  std::map<uint32_t, uint64_t> terms_;  // by shard
  std::map<uint64_t, Key> retaining_;
  std::map<uint64_t, std::pair<Key, uint32_t>> at_shards_;  // with the part
};

}  // namespace shoal
