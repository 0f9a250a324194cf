#include "cluster/core/outbox_publisher.h"

#include <algorithm>
#include <bit>

#include "node/rules/forward_batch.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// This node's workers as the router has them, whose own worker there is none of them.
constexpr NodeSlot kHere = UINT16_MAX - 1;
constexpr NodeSlot kNowhere = UINT16_MAX - 2;

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

// A session may end although the node and its clients live on: then it has missed what was on its way.
void OutboxPublisher::on_session(NodeSlot node, uint64_t life) {
  const auto [it, is_new] = lives_.try_emplace(node, life);
  if (std::exchange(it->second, life) != life) return on_node_gone(node);
  for (const auto& [key, open] : open_) {
    const auto plain = open.plain.find(node);
    if (plain != open.plain.end()) send(node, key, open, 0, plain->second, {});
    for (uint32_t part = 1; part <= open.picks.size(); ++part) {
      const Pick& pick = open.picks[part - 1];
      if (pick.is_done || !pick.is_sent || pick.place.node != node) continue;
      send(node, key, open, part, bit_of(pick.place.worker), pick.filter);
    }
  }
}

// Nobody there is waited for any more. What comes once at most may have been given to a member there:
// then nobody else may get it [MQTT5-4.8.2-5].
void OutboxPublisher::on_node_gone(NodeSlot node) {
  std::vector<std::pair<Key, uint32_t>> lost;
  for (auto& [key, open] : open_) {
    if (open.plain.contains(node)) lost.push_back({key, 0});
    for (uint32_t part = 1; part <= open.picks.size(); ++part) {
      const Pick& pick = open.picks[part - 1];
      if (!pick.is_done && pick.place.node == node) lost.push_back({key, part});
    }
  }
  for (const auto& [key, part] : lost) {
    const auto it = open_.find(key);
    if (it == open_.end()) continue;
    const bool is_taken = part == 0 || it->second.message->qos() != Qos::k1;
    on_answer(node, key.first, key.second, part, is_taken);
  }
}

void OutboxPublisher::on_own_life() {
  for (const auto& [number, what] : std::exchange(at_shards_, {})) {
    give_shard(what.first, what.second);
  }
}

// ---- out ----------------------------------------------------------------------------------------

void OutboxPublisher::publish(replica::StoreEffects::Publish&& item) {
  least_[item.shard] = std::max(least_[item.shard], item.least);
  const Key key{item.shard, item.number};
  SHOAL_ASSERT(!open_.contains(key));
  Open& open = open_[key];
  open.message = std::move(item.message);
  if (item.is_will && open.message->retain()) {
    ++open.waits;
    retaining_[around_.retain(open.message)] = key;
  }
  uint64_t shards = 0;
  if (open.message->expires_at() > context_.now.mono) {
    if (item.group.empty()) {
      shards = match(key, open);
    } else {
      open.picks.push_back({.filter = std::move(item.group)});
    }
  }
  around_.targets(key.first, key.second, shards);
  pick_all(key, open, item.picks);
  progress(key);
}

void OutboxPublisher::forget(Key key) {
  if (open_.erase(key) == 0) return;
  std::erase_if(retaining_, [&key](const auto& each) { return each.second == key; });
  std::erase_if(at_shards_, [&key](const auto& each) { return each.second.first == key; });
}

void OutboxPublisher::on_lead(uint32_t shard, uint64_t term) {
  terms_[shard] = term;
  for (auto it = open_.lower_bound({shard, 0}); it != open_.end() && it->first.first == shard;) {
    forget((it++)->first);
  }
}

// The shards whose plain subscriptions match.
uint64_t OutboxPublisher::match(const Key& key, Open& open) {
  const Match& match = router_.match(open.message->topic());
  std::map<NodeSlot, uint64_t> nodes;
  uint64_t shards = 0;
  for (const RemoteTarget& target : match.remotes()) {
    if (target.node != kShards) {
      nodes[target.node] |= target.worker_mask;
    } else if (open.message->qos() != Qos::k0) {  // which the live path alone carries
      shards |= target.worker_mask;
    }
  }
  for (const SharedGroup* const group : match.groups()) {
    open.picks.push_back({.filter = std::string(group->filter())});
  }
  for (const auto& [node, workers] : nodes) {
    open.plain.emplace(slot_of(node), workers);
    ++open.waits;
  }
  for (const auto& [node, workers] : nodes) send(slot_of(node), key, open, 0, workers, {});
  return shards;
}

// ---- shared subscriptions -----------------------------------------------------------------------

// Nowhere: the member that may have the message is gone with its node.
Place OutboxPublisher::place_of(const shard::OutboxPick& pick) const {
  if (!pick.node) return {kShards, pick.worker};
  if (pick.node == context_.self) {
    return {pick.life == store_life(context_.life) ? kHere : kNowhere, pick.worker};
  }
  const Pair* const pair = around_.pair_of(pick.node);
  const bool is_there = pair != nullptr && pair->is_open() && pick.life == store_life(pair->life);
  return {is_there ? pair->slot() : kNowhere, pick.worker};
}

// What was picked stays picked. Who shares since then is owed nothing of it.
void OutboxPublisher::pick_all(const Key& key, Open& open,
                               const std::vector<shard::OutboxPick>& made) {
  if (!made.empty()) {
    open.picks.clear();
    for (const shard::OutboxPick& each : made) {
      open.picks.push_back({.filter = each.group, .place = place_of(each)});
    }
  }
  std::vector<uint32_t> parts;
  for (uint32_t part = 1; part <= open.picks.size(); ++part) {
    Pick& pick = open.picks[part - 1];
    const bool is_there = made.empty() ? pick_again(pick) : pick.place.node != kNowhere;
    if (is_there) parts.push_back(part);
    pick.is_done = !is_there;
  }
  open.waits += parts.size();
  const bool must_record = made.empty() && !parts.empty() && open.message->qos() == Qos::k2;
  if (must_record) return record(key, open, std::move(parts));
  use(key, open, parts);
}

// False: there is nobody.
bool OutboxPublisher::pick_again(Pick& pick) {
  const SharedGroup* const group = router_.find_group(pick.filter);
  const auto place =
      group ? group->pick_again(context_.random, pick.tried, context_.now.mono) : std::nullopt;
  if (!place) {
    around_.nobody(pick.filter);
    return false;
  }
  pick.place = *place;
  pick.is_sent = false;
  pick.tried.excluded.push_back(*place);
  return true;
}

void OutboxPublisher::record(const Key& key, Open& open, std::vector<uint32_t> parts) {
  std::vector<shard::OutboxPick> picks;
  for (const uint32_t part : parts) {
    const Pick& pick = open.picks[part - 1];
    shard::OutboxPick& out = picks.emplace_back();
    out.group = pick.filter;
    out.worker = pick.place.worker;
    if (pick.place.node == kHere) {
      out.node = context_.self;
      out.life = store_life(context_.life);
    } else if (pick.place.node != kShards) {
      const Pair* const pair = around_.pair_at(pick.place.node);
      out.node = pair->id();
      out.life = store_life(pair->life);
    }
  }
  open.unrecorded.push_back(std::move(parts));
  ++open.waits;  // for what follows, whatever becomes of the places
  around_.picks(key.first, key.second, std::move(picks));
}

void OutboxPublisher::on_picked(uint32_t shard, uint64_t number) {
  const Key key{shard, number};
  const auto it = open_.find(key);
  if (it == open_.end() || it->second.unrecorded.empty()) return;
  const std::vector<uint32_t> parts = std::move(it->second.unrecorded.front());
  it->second.unrecorded.pop_front();
  use(key, it->second, parts);
  progress(key);
}

void OutboxPublisher::use(const Key& key, Open& open, const std::vector<uint32_t>& parts) {
  for (const uint32_t part : parts) {
    Pick& pick = open.picks[part - 1];
    if (pick.is_done) continue;  // its node went meanwhile
    if (pick.place.node == kShards) {
      pick.is_done = true;
      give_shard(key, part);
    } else {
      pick.is_sent = true;
      send(slot_of(pick.place.node), key, open, part, bit_of(pick.place.worker), pick.filter);
    }
  }
}

// Not with what the shard gets for its plain subscriptions: that one is told from a repeat by its number
// alone, and a pick may come later, or anew from another leader.
void OutboxPublisher::give_shard(const Key& key, uint32_t part) {
  const Open& open = open_.at(key);
  const Pick& pick = open.picks[part - 1];
  const PickedItem item{key.first, key.second, least_[key.first]};
  at_shards_[around_.to_group(pick.place.worker, pick.filter, open.message, item)] = {key, part};
}

void OutboxPublisher::send(NodeSlot to, const Key& key, const Open& open, uint32_t part,
                           uint64_t workers, const std::string& filter) {
  SharedPick pick;
  std::span<const SharedPick> picks;
  if (part != 0) {
    pick = {static_cast<WorkerIndex>(std::countr_zero(workers)), filter};
    picks = {&pick, 1};
    workers = 0;
  }
  const ForwardBatchRef batch =
      batch_of_one(static_cast<WorkerIndex>(key.first), open.message, workers, picks,
                   context_.config.limits, context_.now.mono);
  OutboxParcel parcel{.shard = key.first,
                      .part = part,
                      .number = key.second,
                      .term = terms_[key.first],
                      .least = least_[key.first],
                      .batch = std::const_pointer_cast<ForwardBatch>(batch)};
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
  if (pick.is_done || slot_of(pick.place.node) != from) return;
  if (placed) {
    pick.is_done = true;
    return progress(key);
  }
  if (!pick_again(pick)) {
    pick.is_done = true;
    return progress(key);
  }
  if (open.message->qos() == Qos::k2) return record(key, open, {part});
  use(key, open, {part});
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
  const Key key = it->second.first;
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
