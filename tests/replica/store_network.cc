// Sessions between the nodes of a StoreCluster.
#include <utility>

#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {
namespace {

constexpr Duration kLease = Duration::millis(400);
constexpr Duration kGivenUpAfter = Duration::millis(1'200);

}  // namespace

void StoreCluster::cut(int a, int b, bool is_cut) {
  if (!is_cut) {
    if (cuts_.erase(pair_of(a, b)) == 0) return;
    // What was sent meanwhile is lost, and so is the session.
    return reset(a, b);
  }
  cuts_.insert(pair_of(a, b));
  for (const auto& [at, peer] : {std::pair{a, b}, std::pair{b, a}}) {
    torn_.insert(session_of(at, peer));
    leave_soon(at, peer, world_.between(Duration::millis(400), Duration::millis(900)));
  }
}

void StoreCluster::heal() {
  for (const PairKey& each : std::set<PairKey>(cuts_)) cut(each.first, each.second, false);
}

void StoreCluster::reset(int a, int b) {
  for (const auto& [at, peer] : {std::pair{a, b}, std::pair{b, a}}) {
    leave_soon(at, peer, world_.long_tailed(Duration::millis(1)));
  }
  connect_soon(a, b, Duration::millis(10));
}

uint64_t StoreCluster::session_of(int at, int peer) const {
  if (!is_up(at)) return 0;
  const auto it = nodes_[at]->process->sessions.find(peer);
  return it == nodes_[at]->process->sessions.end() ? 0 : it->second;
}

void StoreCluster::connect_soon(int a, int b, Duration delay) {
  world_.after(delay, [this, a, b] { connect(a, b); });
}

// The one that is asked begins, and its answer lets the other begin.
void StoreCluster::connect(int a, int b) {
  if (!may_connect(a, b)) return;
  post(b, [this, a, b] {
    if (!may_connect(a, b)) return;
    const uint64_t number = ++last_session_;
    begin_session(b, a, number);
    deliver(b, a, Lane::kControl, [this, a, b, number] {
      if (session_of(b, a) == number && session_of(a, b) == 0) begin_session(a, b, number);
    });
    // Nothing of a session comes before its beginning, whatever its lane.
    Instant& bulk = last_delivery_[{{b, a}, Lane::kBulk}];
    bulk = std::max(bulk, last_delivery_[{{b, a}, Lane::kControl}]);
    // It may break before both have begun.
    world_.after(Duration::seconds(1), [this, a, b, number] {
      if (session_of(b, a) == number && session_of(a, b) != number) leave_soon(b, a, {});
    });
  });
}

bool StoreCluster::may_connect(int a, int b) const {
  return is_up(a) && is_up(b) && !is_cut(a, b) && session_of(a, b) == 0 && session_of(b, a) == 0;
}

void StoreCluster::begin_session(int at, int peer, uint64_t number) {
  nodes_[at]->process->sessions[peer] = number;
  nodes_[at]->process->gone.erase(peer);
  store(at).on_peer(nodes_[peer]->id, nodes_[peer]->incarnation, now());
}

void StoreCluster::leave_soon(int at, int peer, Duration delay) {
  const uint64_t number = session_of(at, peer);
  if (number == 0) return;
  world_.after(delay, [this, at, peer, number] {
    if (is_up(at)) post(at, [this, at, peer, number] { leave(at, peer, number); });
  });
}

void StoreCluster::leave(int at, int peer, uint64_t number) {
  if (session_of(at, peer) != number) return;
  nodes_[at]->process->sessions.erase(peer);
  store(at).on_peer_end(nodes_[peer]->id, now());
  if (session_of(peer, at) == number) {
    leave_soon(peer, at, world_.between(Duration::millis(1), Duration::millis(300)));
  }
  connect_soon(at, peer, Duration::millis(320));
}

// ---- leases -------------------------------------------------------------------------------------

std::vector<NodeId> StoreCluster::waited_for(int at) const {
  std::vector<NodeId> all;
  for (int other = 0; other < nodes(); ++other) {
    if (other != at && !nodes_[at]->process->gone.contains(other)) all.push_back(nodes_[other]->id);
  }
  return all;
}

// When it is sure that the peer's process is over and all leases of it have run out.
void StoreCluster::give_up(int at, int peer) {
  const uint64_t incarnation = nodes_[peer]->incarnation;
  world_.after(kGivenUpAfter, [this, at, peer, incarnation, life = nodes_[at]->life] {
    if (nodes_[at]->life != life || !is_up(at)) return;
    post(at, [this, at, peer, incarnation] {
      if (nodes_[peer]->incarnation == incarnation) nodes_[at]->process->gone.insert(peer);
      store(at).on_peer_gone(nodes_[peer]->id, incarnation, now());
    });
  });
}

// What heartbeats do in a real node is known here by looking at the peers.
void StoreCluster::renew_leases(int at) {
  for (int peer = 0; peer < nodes(); ++peer) {
    const uint64_t session = peer == at ? 0 : session_of(at, peer);
    if (session == 0 || session_of(peer, at) != session || torn_.contains(session)) continue;
    if (nodes_[peer]->is_frozen || !store(peer).has_peer_all(nodes_[at]->id)) continue;
    nodes_[at]->process->leases[peer] = world_.now() + kLease;
  }
}

bool StoreCluster::may_publish(int at) {
  Process& process = *nodes_[at]->process;
  bool holds = true;
  for (int peer = 0; peer < nodes(); ++peer) {
    if (peer == at || process.gone.contains(peer)) continue;
    const auto lease = process.leases.find(peer);
    holds = holds && lease != process.leases.end() && lease->second > world_.now();
  }
  if (!holds) process.knows_shards = false;
  if (holds && !process.knows_shards) process.knows_shards = store(at).is_ready();
  return process.knows_shards;
}

// ---- frames -------------------------------------------------------------------------------------

void StoreCluster::deliver(int from, int to, Lane lane, Task task) {
  Instant& last = last_delivery_[{{from, to}, lane}];
  last = std::max(last, world_.now() + world_.long_tailed(options_.latency));
  world_.at(last, [this, from, to, life = nodes_[to]->life, task = std::move(task)]() mutable {
    if (nodes_[to]->life == life && is_up(to) && !is_cut(from, to)) post(to, std::move(task));
  });
}

void StoreCluster::send(int from, StoreEffects::Frame&& frame) {
  const int to = index_of(frame.to);
  const uint64_t number = session_of(from, to);
  if (number == 0) return;
  const Lane lane = is_bulk(frame.kind) ? Lane::kBulk : Lane::kControl;
  deliver(from, to, lane, [this, from, to, number, frame = std::move(frame)] {
    if (session_of(to, from) != number || torn_.contains(number)) return;
    const auto* const bytes = reinterpret_cast<const uint8_t*>(frame.bytes.data());
    store(to).on_frame(nodes_[from]->id, frame.kind, {bytes, frame.bytes.size()}, now());
  });
}

}  // namespace shoal::replica::test
