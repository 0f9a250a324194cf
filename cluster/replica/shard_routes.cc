#include "cluster/replica/shard_routes.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal::replica {
namespace {

constexpr size_t kRoutesPortionBytes = 64 * 1024;
constexpr size_t kRouteOverhead = 16;

uint16_t weight_of(uint32_t count) {
  return static_cast<uint16_t>(std::min<uint32_t>(count, 0xFFFF));
}

void add_to(proto::ShardRoutes& routes, const std::string& filter, RouteWeight weight) {
  proto::ShardRoutes::Route* const route = routes.add_routes();
  route->set_filter(filter);
  route->set_online(weight.online);
  route->set_offline(weight.offline);
}

}  // namespace

ShardRoutes::ShardRoutes(uint32_t shards, Surroundings surroundings)
    : around_(std::move(surroundings)), known_(shards), led_(shards) {}

// ---- shards that this node leads ----------------------------------------------------------------

void ShardRoutes::on_lead(uint32_t shard, uint64_t term) { led_[shard] = {true, term, {}, {}, 0}; }

void ShardRoutes::on_lead_end(uint32_t shard) { led_[shard] = {}; }

void ShardRoutes::on_own(uint32_t shard, ServerEffects::Routes&& routes,
                         const std::vector<NodeId>& peers) {
  if (!led_[shard].leads) return;
  Known& known = known_[shard];
  std::vector<RouteChange> changes;
  for (shard::Effects::RouteChange& each : routes.changes) {
    changes.push_back({std::move(each.filter), {weight_of(each.online), weight_of(each.offline)}});
  }
  known.version = routes.version;
  if (routes.whole) {
    known.term = led_[shard].term;
    known.from = NodeId{};
    known.is_whole = true;
    known.is_applied = false;
    known.coming.clear();
    Weights all;
    for (RouteChange& each : changes) all.emplace(std::move(each.filter), each.weight);
    replace(shard, std::move(all));
    for (const NodeId peer : peers) send_whole(shard, peer);
    return;
  }
  proto::ShardRoutes message;
  message.set_shard(shard);
  message.set_term(known.term);
  message.set_version(known.version);
  message.set_last(true);
  for (const RouteChange& each : changes) add_to(message, each.filter, each.weight);
  for (const NodeId peer : peers) around_.send(peer, message);
  change(shard, std::move(changes));
}

void ShardRoutes::send_whole(uint32_t shard, NodeId to) {
  const Known& known = known_[shard];
  proto::ShardRoutes message;
  const auto begin = [&] {
    message.Clear();
    message.set_shard(shard);
    message.set_term(known.term);
    message.set_version(known.version);
    message.set_whole(true);
  };
  begin();
  message.set_first(true);
  size_t bytes = 0;
  for (const auto& [filter, weight] : known.routes) {
    add_to(message, filter, weight);
    bytes += filter.size() + kRouteOverhead;
    if (bytes < kRoutesPortionBytes) continue;
    around_.send(to, message);
    begin();
    bytes = 0;
  }
  message.set_last(true);
  around_.send(to, message);
}

void ShardRoutes::on_peer(NodeId peer) {
  for (uint32_t shard = 0; shard < led_.size(); ++shard) {
    led_[shard].applied.erase(peer);
    if (led_[shard].leads && known_[shard].term == led_[shard].term) send_whole(shard, peer);
  }
}

void ShardRoutes::on_peer_end(NodeId peer) {
  for (Led& led : led_) led.applied.erase(peer);
  check();
}

void ShardRoutes::on_peer_applied(NodeId peer, const proto::ShardRoutesApplied& applied) {
  if (applied.shard() >= led_.size()) return;
  Led& led = led_[applied.shard()];
  if (!led.leads || led.term != applied.term()) return;
  uint64_t& version = led.applied[peer];
  version = std::max(version, applied.version());
  release(applied.shard());
}

void ShardRoutes::hold(uint32_t shard, ServerEffects::Reply&& reply) {
  if (!led_[shard].leads || led_[shard].term != reply.message.term()) return;
  led_[shard].held.push_back({reply.after_routes, reply.to, std::move(reply.message)});
}

void ShardRoutes::hold(uint32_t shard, const ServerEffects::OutboxAnswer& answer) {
  if (led_[shard].leads) led_[shard].held.push_back({answer.after_routes, {}, answer.answer});
}

void ShardRoutes::release(uint32_t shard) {
  Led& led = led_[shard];
  if (led.held.empty()) return;
  const Known& known = known_[shard];
  if (known.term != led.term || !known.is_applied) return;
  uint64_t everywhere = known.applied_version;
  for (const NodeId peer : around_.waited_for()) {
    const auto it = led.applied.find(peer);
    if (it == led.applied.end()) return;
    everywhere = std::min(everywhere, it->second);
  }
  if (SHOAL_MUTATED("store-answers-before-routes")) everywhere = UINT64_MAX;
  while (!led.held.empty() && led.held.front().after_routes <= everywhere) {
    Held held = std::move(led.held.front());
    led.held.pop_front();
    led.released = std::max(led.released, held.after_routes);
    if (auto* const reply = std::get_if<proto::StoreReply>(&held.what)) {
      around_.reply(held.to, std::move(*reply));
    } else {
      around_.answer(shard, std::get<shard::Effects::OutboxAnswer>(held.what));
    }
  }
}

bool ShardRoutes::has_peer_all(NodeId peer) const {
  return std::all_of(led_.begin(), led_.end(), [peer](const Led& led) {
    if (!led.leads) return true;
    const auto it = led.applied.find(peer);
    return it != led.applied.end() && it->second >= led.released;
  });
}

// ---- shards that peers lead ---------------------------------------------------------------------

void ShardRoutes::on_peer_routes(NodeId from, const proto::ShardRoutes& routes) {
  if (routes.shard() >= known_.size()) return;
  Known& known = known_[routes.shard()];
  const Led& led = led_[routes.shard()];
  if (routes.term() < known.term || (led.leads && routes.term() <= led.term)) return;
  if (routes.whole()) {
    if (routes.first()) {
      known.term = routes.term();
      known.from = from;
      known.is_whole = known.is_applied = false;
      known.coming.clear();
      known.told.clear();
    }
    if (known.term != routes.term() || known.from != from) return;
    for (const auto& each : routes.routes()) {
      known.coming[each.filter()] = {weight_of(each.online()), weight_of(each.offline())};
    }
    if (!routes.last()) return;
    known.version = routes.version();
    known.is_whole = true;
    return replace(routes.shard(), std::exchange(known.coming, {}));
  }
  // Changes behind a whole set that has yet to come are in that.
  if (known.term != routes.term() || known.from != from || !known.is_whole) return;
  std::vector<RouteChange> changes;
  for (const auto& each : routes.routes()) {
    changes.push_back({each.filter(), {weight_of(each.online()), weight_of(each.offline())}});
  }
  known.version = routes.version();
  change(routes.shard(), std::move(changes));
}

// ---- this node's workers ------------------------------------------------------------------------

void ShardRoutes::replace(uint32_t shard, Weights&& by) {
  Known& known = known_[shard];
  std::vector<RouteChange> changes;
  for (const auto& [filter, weight] : known.routes) {
    if (!by.contains(filter)) changes.push_back({filter, {}});
  }
  for (const auto& [filter, weight] : by) {
    const auto it = known.routes.find(filter);
    if (it == known.routes.end() || it->second != weight) changes.push_back({filter, weight});
  }
  change(shard, std::move(changes));
}

void ShardRoutes::change(uint32_t shard, std::vector<RouteChange> changes) {
  Known& known = known_[shard];
  std::vector<PlacedRoute> placed;
  for (RouteChange& each : changes) {
    if (each.weight.present()) {
      known.routes[each.filter] = each.weight;
    } else {
      known.routes.erase(each.filter);
    }
    placed.push_back({{kShards, static_cast<WorkerIndex>(shard)}, std::move(each)});
  }
  known.told.push_back({around_.tell_workers(std::move(placed)), known.version});
  report(shard);
}

void ShardRoutes::report(uint32_t shard) {
  Known& known = known_[shard];
  const uint64_t applied = around_.applied();
  bool is_new = false;
  while (!known.told.empty() && known.told.front().update <= applied) {
    known.applied_version = known.told.front().version;
    known.is_applied = known.is_whole;
    known.told.pop_front();
    is_new = true;
  }
  if (!is_new) return;
  if (!known.from) return release(shard);
  proto::ShardRoutesApplied message;
  message.set_shard(shard);
  message.set_term(known.term);
  message.set_version(known.applied_version);
  around_.send_applied(known.from, message);
}

void ShardRoutes::check() {
  for (uint32_t shard = 0; shard < known_.size(); ++shard) {
    report(shard);
    if (led_[shard].leads) release(shard);
  }
}

bool ShardRoutes::is_known(uint32_t shard, uint64_t term) const {
  return known_[shard].term == term && known_[shard].is_applied;
}

uint64_t ShardRoutes::digest() const {
  uint64_t digest = 0;
  for (uint32_t shard = 0; shard < known_.size(); ++shard) {
    for (const auto& [filter, weight] : known_[shard].routes) {
      const uint64_t seed = uint64_t{shard} << 32 | uint64_t{weight.online} << 16 | weight.offline;
      digest += XXH3_64bits_withSeed(filter.data(), filter.size(), seed);
    }
  }
  return digest;
}

}  // namespace shoal::replica
