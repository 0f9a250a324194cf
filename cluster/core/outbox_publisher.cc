#include "cluster/core/outbox_publisher.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "node/rules/forward_batch.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// This node's workers as the router has them, whose own worker there is none of them.
constexpr NodeSlot kHere = UINT16_MAX - 1;
constexpr int kRoundsMax = 8;

NodeSlot slot_of(NodeSlot routed) { return routed == kHere ? kSelf : routed; }

}  // namespace

OutboxPublisher::OutboxPublisher(Context& context, Forwarding& forwarding, Surroundings around)
    : context_(context),
      forwarding_(forwarding),
      around_(std::move(around)),
      router_({.worker = 0,
               .seed = context.random.next(),
               .cached_topics_max = 1024,
               .cached_bytes_max = size_t{1} << 20}) {}

void OutboxPublisher::on_route(const PlacedRoute& route) {
  PlacedRoute placed = route;
  if (placed.place.node == kSelf) placed.place.node = kHere;
  router_.apply(placed);
}

// Nobody there is waited for any more. A QoS 2 message may have been given to a member there: then
// nobody else may get it [MQTT5-4.8.2-5].
void OutboxPublisher::on_node_gone(NodeSlot node) {
  router_.drop_node(node);
  std::vector<std::pair<Key, uint32_t>> lost;
  for (auto& [key, open] : open_) {
    if (open.plain.contains(node)) lost.push_back({key, 0});
    for (uint32_t part = 1; part <= open.picks.size(); ++part) {
      const Pick& pick = open.picks[part - 1];
      if (!pick.is_done && pick.node == node) lost.push_back({key, part});
    }
  }
  for (const auto& [key, part] : lost) {
    const auto it = open_.find(key);
    if (it == open_.end()) continue;
    const bool is_taken = part == 0 || it->second.message->qos() == Qos::k2;
    on_answer(node, key.first, key.second, part, is_taken);
  }
}

// ---- out ----------------------------------------------------------------------------------------

void OutboxPublisher::publish(uint32_t shard, uint64_t number, uint64_t least, MessageRef message,
                              bool is_will) {
  least_[shard] = std::max(least_[shard], least);
  const Key key{shard, number};
  open_.erase(key);  // of an earlier time that this node led
  Open& open = open_[key];
  open.message = std::move(message);
  if (is_will && open.message->retain()) {
    ++open.waits;
    retaining_[around_.retain(open.message)] = key;
  }
  Targets targets;
  if (open.message->expires_at() > context_.now.mono) match(key, open, targets);
  around_.targets(shard, number, std::move(targets));
  progress(key);
}

void OutboxPublisher::match(const Key& key, Open& open, Targets& targets) {
  const Match& match = router_.match(open.message->topic());
  std::map<NodeSlot, uint64_t> nodes;
  for (const RemoteTarget& target : match.remotes()) {
    if (target.node != kShards) {
      nodes[target.node] |= target.worker_mask;
    } else if (open.message->qos() != Qos::k0) {  // which the live path alone carries
      targets.shards |= target.worker_mask;
    }
  }
  for (const SharedGroup* const group : match.groups()) {
    open.picks.push_back({.filter = std::string(group->filter())});
  }
  for (const auto& [node, workers] : nodes) {
    open.plain.insert(slot_of(node));
    ++open.waits;
  }
  open.waits += open.picks.size();
  for (const auto& [node, workers] : nodes) send(slot_of(node), key, open, 0, workers, {});
  for (uint32_t part = 1; part <= open.picks.size(); ++part) place(key, open, part, &targets);
}

// Picks a place of a shared subscription. Where a member went there may be others, but not for ever.
void OutboxPublisher::place(const Key& key, Open& open, uint32_t part, Targets* targets) {
  Pick& pick = open.picks[part - 1];
  SharedGroup* const group = router_.find_group(pick.filter);
  auto place = group ? group->pick(context_.random, pick.excluded) : std::nullopt;
  if (!place && group && !pick.excluded.empty() && pick.rounds < kRoundsMax) {
    ++pick.rounds;
    pick.excluded.clear();
    place = group->pick(context_.random);
  }
  if (place && place->node != kShards) {
    pick.node = slot_of(place->node);
    pick.excluded.push_back(*place);  // if it is picked again
    return send(pick.node, key, open, part, uint64_t{1} << place->worker, pick.filter);
  }
  if (place && targets == nullptr) {
    pick.node = kShards;
    at_shards_[around_.to_group(place->worker, pick.filter, open.message)] = key;
    pick.is_done = true;
    return;
  }
  if (place) targets->groups.emplace_back(place->worker, pick.filter);
  pick.is_done = true;
  --open.waits;  // what it was sent for goes on
}

void OutboxPublisher::send(NodeSlot to, const Key& key, const Open& open, uint32_t part,
                           uint64_t workers, const std::string& filter) {
  ForwardBatchWriter writer(static_cast<WorkerIndex>(key.first));
  const Message& message = *open.message;
  SharedPick pick;
  std::span<const SharedPick> picks;
  if (part != 0) {
    pick = {static_cast<WorkerIndex>(std::countr_zero(workers)), filter};
    picks = {&pick, 1};
    workers = 0;
  }
  if (travels_by_reference(message.view(), context_.config.limits)) {
    writer.append_large(open.message, workers, picks, context_.now.mono);
  } else {
    writer.append(message.view(), workers, picks, context_.now.mono);
  }
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  SHOAL_ASSERT(batches.size() == 1);
  OutboxParcel parcel{key.first, part, key.second, least_[key.first],
                      std::const_pointer_cast<ForwardBatch>(batches.front())};
  if (to == kSelf) return around_.deliver_here(std::move(parcel));
  Pair* const pair = around_.pair_at(to);
  if (pair != nullptr && pair->is_open()) forwarding_.send_outbox(*pair, std::move(parcel));
}

// ---- answers ------------------------------------------------------------------------------------

void OutboxPublisher::on_answer(NodeSlot from, uint32_t shard, uint64_t number, uint32_t part,
                                bool placed) {
  const Key key{shard, number};
  const auto it = open_.find(key);
  if (it == open_.end()) return;
  Open& open = it->second;
  if (part == 0) {
    if (open.plain.erase(from) != 0) progress(key);
    return;
  }
  if (part > open.picks.size()) return;
  Pick& pick = open.picks[part - 1];
  if (pick.is_done || pick.node != from) return;
  if (placed) {
    pick.is_done = true;
    return progress(key);
  }
  ++open.waits;
  place(key, open, part, nullptr);
  progress(key);
}

void OutboxPublisher::on_retained(uint64_t number) {
  const auto it = retaining_.find(number);
  if (it == retaining_.end()) return;
  const Key key = it->second;
  retaining_.erase(it);
  progress(key);
}

void OutboxPublisher::on_shard_has(uint64_t number) {
  const auto it = at_shards_.find(number);
  if (it == at_shards_.end()) return;
  const Key key = it->second;
  at_shards_.erase(it);
  progress(key);
}

void OutboxPublisher::progress(const Key& key) {
  const auto it = open_.find(key);
  if (it == open_.end()) return;
  SHOAL_ASSERT(it->second.waits > 0);
  if (--it->second.waits > 0) return;
  open_.erase(it);
  around_.published(key.first, key.second);
}

}  // namespace shoal
