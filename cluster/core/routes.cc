#include "cluster/core/routes.h"

#include <xxhash.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {
namespace {

constexpr size_t kRouteOverhead = 16;

uint64_t hash_of(WorkerIndex worker, std::string_view filter, RouteWeight weight) {
  if (!weight.present()) return 0;
  const uint64_t seed = uint64_t{worker} << 32 | uint64_t{weight.online} << 16 | weight.offline;
  return XXH3_64bits_withSeed(filter.data(), filter.size(), seed);
}

void add_to(google::protobuf::RepeatedPtrField<proto::Route>* routes, WorkerIndex worker,
            const std::string& filter, RouteWeight weight) {
  proto::Route* const route = routes->Add();
  route->set_worker(worker);
  route->set_filter(filter);
  route->set_online(weight.online);
  route->set_offline(weight.offline);
}

}  // namespace

Routes::Routes(Context& context, std::function<std::vector<Pair*>()> open_pairs,
               std::function<std::vector<NodeId>()> waited_for)
    : context_(context),
      open_pairs_(std::move(open_pairs)),
      waited_for_(std::move(waited_for)),
      own_(context.config.workers),
      told_(context.config.workers),
      applied_(context.config.workers),
      waits_(context.config.workers) {}

// ---- workers ------------------------------------------------------------------------------------

void Routes::on_batch(WorkerIndex worker, const RouteBatch& batch) {
  std::vector<PlacedRoute> changed;
  for (const RouteChange& change : batch.changes) {
    auto& own = own_[worker];
    const auto it = own.find(change.filter);
    const RouteWeight before = it == own.end() ? RouteWeight{} : it->second;
    if (before == change.weight) continue;
    digest_ -= hash_of(worker, change.filter, before);
    digest_ += hash_of(worker, change.filter, change.weight);
    if (!change.weight.present()) {
      own.erase(it);
    } else if (it == own.end()) {
      own.emplace(change.filter, change.weight);
    } else {
      it->second = change.weight;
    }
    changed.push_back({{kSelf, worker}, change});
  }
  note(changed);
  announce(worker, changed);
  const uint64_t others = context_.all_workers() & ~bit_of(worker);
  if (!changed.empty() && others != 0) tell_workers(others, std::move(changed));
  waits_[worker].push_back({batch.number, last_update_, version_});
  check_waits();
}

void Routes::announce(WorkerIndex worker, const std::vector<PlacedRoute>& changed) {
  const std::vector<Pair*> pairs = open_pairs_();
  for (size_t at = 0; at < changed.size();) {
    proto::RoutesDelta delta;
    delta.set_version(++version_);
    for (size_t bytes = 0; at < changed.size() && bytes < kPortionBytes; ++at) {
      const RouteChange& change = changed[at].change;
      add_to(delta.mutable_routes(), worker, change.filter, change.weight);
      bytes += change.filter.size() + kRouteOverhead;
    }
    for (Pair* const pair : pairs) pair->send(FrameKind::kRoutesDelta, delta);
  }
}

void Routes::note(const std::vector<PlacedRoute>& changed) const {
  if (!watch_change_) return;
  for (const PlacedRoute& each : changed) watch_change_(each);
}

uint64_t Routes::tell_all(std::vector<PlacedRoute> routes) {
  note(routes);
  return tell_workers(context_.all_workers(), std::move(routes));
}

uint64_t Routes::tell_workers(uint64_t workers, std::vector<PlacedRoute> routes) {
  ++last_update_;
  for (int w = 0; w < context_.config.workers; ++w) {
    if (workers & bit_of(static_cast<WorkerIndex>(w))) told_[w] = last_update_;
  }
  context_.mail(workers, RouteUpdate{last_update_, std::move(routes)});
  return last_update_;
}

void Routes::on_applied(WorkerIndex worker, uint64_t number) {
  SHOAL_ASSERT(number <= told_[worker]);
  applied_[worker] = std::max(applied_[worker], number);
  report_applied();
  check_waits();
}

bool Routes::is_synced(WorkerIndex worker, const Wait& wait,
                       const std::vector<NodeId>& waited_for) const {
  for (int w = 0; w < context_.config.workers; ++w) {
    if (w != worker && applied_[w] < std::min(wait.update, told_[w])) return false;
  }
  return std::all_of(waited_for.begin(), waited_for.end(), [this, &wait](NodeId id) {
    const auto it = peers_.find(id);
    return it != peers_.end() && it->second.has_applied && it->second.peer_applied >= wait.version;
  });
}

void Routes::check_waits() {
  const auto is_empty = [](const std::deque<Wait>& waits) { return waits.empty(); };
  if (std::all_of(waits_.begin(), waits_.end(), is_empty)) return;
  const std::vector<NodeId> waited_for = waited_for_();
  for (int w = 0; w < context_.config.workers; ++w) {
    std::deque<Wait>& waits = waits_[w];
    const auto worker = static_cast<WorkerIndex>(w);
    while (!waits.empty() && is_synced(worker, waits.front(), waited_for)) {
      released_ = std::max(released_, waits.front().version);
      context_.mail(bit_of(worker), RoutesSynced{waits.front().batch});
      waits.pop_front();
    }
  }
}

// ---- ours, at the peers -------------------------------------------------------------------------

void Routes::on_open(Pair& pair) {
  Peer& peer = peers_[pair.id()];
  context_.mail(context_.all_workers(), PeerUp{pair.slot()});
  // Empty: the answer tells that the worker has seen the session begin.
  peer.barrier = tell_workers(context_.all_workers(), {});
  on_wanted(pair);
}

void Routes::on_wanted(Pair& pair) {
  Peer& peer = peers_.at(pair.id());
  peer.is_sending = true;
  peer.send_worker = 0;
  peer.send_after.clear();
  proto::RoutesChunk chunk;
  chunk.set_first(true);
  chunk.set_version(version_);
  pair.send(FrameKind::kRoutesChunk, chunk);
  pump(pair);
}

void Routes::pump(Pair& pair) {
  const auto it = peers_.find(pair.id());
  if (it == peers_.end()) return;
  while (it->second.is_sending && pair.kept_bytes(Lane::kControl) < kPortionsOpenBytes) {
    send_chunk(pair, it->second);
  }
}

void Routes::send_chunk(Pair& pair, Peer& peer) {
  proto::RoutesChunk chunk;
  chunk.set_version(version_);
  size_t bytes = 0;
  while (peer.send_worker < context_.config.workers && bytes < kPortionBytes) {
    const auto worker = static_cast<WorkerIndex>(peer.send_worker);
    auto at =
        peer.send_after.empty() ? own_[worker].begin() : own_[worker].upper_bound(peer.send_after);
    for (; at != own_[worker].end() && bytes < kPortionBytes; ++at) {
      add_to(chunk.mutable_routes(), worker, at->first, at->second);
      bytes += at->first.size() + kRouteOverhead;
      peer.send_after = at->first;
    }
    if (at != own_[worker].end()) break;
    ++peer.send_worker;
    peer.send_after.clear();
  }
  if (peer.send_worker == context_.config.workers) {
    chunk.set_last(true);
    peer.is_sending = false;
    peer.is_sent = true;
    peer.whole_version = version_;
  }
  pair.send(FrameKind::kRoutesChunk, chunk);
}

bool Routes::on_peer_applied(const Pair& pair, uint64_t version) {
  Peer& peer = peers_.at(pair.id());
  if (version > version_ || !peer.is_sent) return false;
  peer.peer_applied = std::max(peer.peer_applied, version);
  if (!peer.has_applied && version >= peer.whole_version) {
    peer.has_applied = true;
    // SUBACKs up to this version went out without it, and none goes any more.
    peer.must_apply = released_;
  }
  check_waits();
  return true;
}

// ---- the peers', here ---------------------------------------------------------------------------

void Routes::on_end(const Pair& pair) {
  if (peers_.erase(pair.id()) == 0) return;
  context_.mail(context_.all_workers(), PeerDown{pair.slot()});
  if (watch_gone_) watch_gone_(pair.slot());
}

bool Routes::apply(Peer& peer, const Pair& pair,
                   const google::protobuf::RepeatedPtrField<proto::Route>& routes,
                   std::vector<PlacedRoute>& changed) {
  for (const proto::Route& route : routes) {
    if (route.worker() >= kWorkersMax || route.filter().empty()) return false;
    if (route.online() > UINT16_MAX || route.offline() > UINT16_MAX) return false;
    const auto worker = static_cast<WorkerIndex>(route.worker());
    const RouteWeight weight{static_cast<uint16_t>(route.online()),
                             static_cast<uint16_t>(route.offline())};
    if (peer.is_repair && weight.present()) peer.repaired[worker][route.filter()] = weight;
    if (peer.is_repair && !weight.present()) peer.repaired[worker].erase(route.filter());

    Weights& known = peer.routes[worker];
    const auto it = known.find(route.filter());
    const RouteWeight before = it == known.end() ? RouteWeight{} : it->second;
    if (before == weight) continue;
    peer.digest -= hash_of(worker, route.filter(), before);
    peer.digest += hash_of(worker, route.filter(), weight);
    if (!weight.present()) {
      known.erase(it);
    } else {
      known[route.filter()] = weight;
    }
    changed.push_back({{pair.slot(), worker}, {route.filter(), weight}});
  }
  return true;
}

// What the portions did not name is gone.
void Routes::finish_repair(Peer& peer, const Pair& pair, std::vector<PlacedRoute>& changed) {
  for (int w = 0; w < kWorkersMax; ++w) {
    const auto worker = static_cast<WorkerIndex>(w);
    for (const auto& [filter, weight] : peer.routes[w]) {
      if (peer.repaired[w].contains(filter)) continue;
      peer.digest -= hash_of(worker, filter, weight);
      changed.push_back({{pair.slot(), worker}, {filter, {}}});
    }
    // Two runs of one seed must not depend on the order of a hash table.
    std::sort(changed.begin(), changed.end(), [](const PlacedRoute& a, const PlacedRoute& b) {
      return std::tie(a.place, a.change.filter) < std::tie(b.place, b.change.filter);
    });
    peer.routes[w] = std::move(peer.repaired[w]);
    peer.repaired[w].clear();
  }
  peer.is_repair = false;
}

uint64_t Routes::tell(Peer& peer, std::vector<PlacedRoute> changed) {
  const uint64_t update = tell_all(std::move(changed));
  peer.told.push_back({update, peer.version});
  return update;
}

bool Routes::on_chunk(Pair& pair, const proto::RoutesChunk& chunk) {
  Peer& peer = peers_.at(pair.id());
  if (chunk.first()) {
    peer.is_repair = peer.is_whole;
    peer.repaired = {};
    peer.version = chunk.version();
    peer.is_asked = false;
  }
  std::vector<PlacedRoute> changed;
  if (!apply(peer, pair, chunk.routes(), changed)) return false;
  if (chunk.version() != peer.version) {
    ask_whole(pair, peer);
    return true;
  }
  if (chunk.last() && peer.is_repair) finish_repair(peer, pair, changed);
  if (changed.empty() && !chunk.last()) return true;
  const uint64_t update = tell(peer, std::move(changed));
  if (chunk.last() && !peer.is_whole) {
    peer.is_whole = true;
    peer.whole_update = update;
  }
  return true;
}

bool Routes::on_delta(Pair& pair, const proto::RoutesDelta& delta) {
  Peer& peer = peers_.at(pair.id());
  if (delta.version() != peer.version + 1) {
    ask_whole(pair, peer);
    return true;
  }
  std::vector<PlacedRoute> changed;
  if (!apply(peer, pair, delta.routes(), changed)) return false;
  peer.version = delta.version();
  tell(peer, std::move(changed));
  return true;
}

void Routes::ask_whole(Pair& pair, Peer& peer) {
  if (peer.is_asked) return;
  peer.is_asked = true;
  context_.log(HubEffects::Log::Level::kWarn,
               "routes of " + pair.hello.name() + " are asked again");
  pair.send(FrameKind::kRoutesWanted, proto::RoutesWanted());
}

void Routes::on_digest(Pair& pair, uint64_t version, uint64_t digest) {
  Peer& peer = peers_.at(pair.id());
  if (!peer.is_whole || peer.is_repair || version != peer.version) return;
  if (digest != peer.digest) ask_whole(pair, peer);
}

uint64_t Routes::applied_by_all() const {
  if (SHOAL_MUTATED("route-at-one-worker"))
    return *std::max_element(applied_.begin(), applied_.end());
  return *std::min_element(applied_.begin(), applied_.end());
}

void Routes::report_applied() {
  const uint64_t applied = applied_by_all();
  if (applied == reported_) return;  // the last worker's answer is the one that counts
  reported_ = applied;
  for (Pair* const pair : open_pairs_()) {
    const auto it = peers_.find(pair->id());
    if (it == peers_.end()) continue;
    Peer& peer = it->second;
    const uint64_t before = peer.applied;
    while (!peer.told.empty() && peer.told.front().update <= applied) {
      peer.applied = peer.told.front().version;
      peer.told.pop_front();
    }
    const bool is_first = !peer.is_applied && peer.is_whole && applied >= peer.whole_update;
    if (is_first) peer.is_applied = true;
    if (!peer.is_applied || (!is_first && peer.applied == before)) continue;
    proto::RoutesApplied message;
    message.set_version(peer.applied);
    pair->send(FrameKind::kRoutesApplied, message);
  }
}

// ---- what is known ------------------------------------------------------------------------------

bool Routes::is_synced_both_ways(const Pair& pair) const {
  const auto it = peers_.find(pair.id());
  if (it == peers_.end()) return false;
  const Peer& peer = it->second;
  return peer.is_applied && peer.has_applied && peer.peer_applied >= peer.must_apply;
}

bool Routes::has_peer_applied_whole(const Pair& pair) const {
  const auto it = peers_.find(pair.id());
  return it != peers_.end() && it->second.has_applied;
}

bool Routes::has_worker_seen(const Pair& pair, WorkerIndex worker) const {
  const auto it = peers_.find(pair.id());
  return it != peers_.end() && applied_[worker] >= it->second.barrier;
}

uint64_t Routes::own_count() const {
  uint64_t count = 0;
  for (const auto& own : own_) count += own.size();
  return count;
}

uint64_t Routes::count() const {
  uint64_t count = own_count();
  for (const auto& [id, peer] : peers_) {
    for (const Weights& weights : peer.routes) count += weights.size();
  }
  return count;
}

uint64_t Routes::digest_of_all() const {
  const auto of_node = [](NodeId id, uint64_t digest) { return Random(id.value ^ digest).next(); };
  uint64_t digest = digest_ == 0 ? 0 : of_node(context_.self, digest_);
  for (const auto& [id, peer] : peers_) digest += peer.digest == 0 ? 0 : of_node(id, peer.digest);
  return digest;
}

}  // namespace shoal
