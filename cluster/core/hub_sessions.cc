// States, the beginning and end of sessions, and coming into sync.
#include <algorithm>
#include <utility>

#include <absl/strings/str_format.h>
#include "cluster/core/hub_core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr int kMetMax = 64;  // addresses told or heard in one State

Life life_of(const proto::Life& from) { return {from.incarnation(), from.closes()}; }

StoreFounding founding_of(const proto::StoreFounding& from) {
  StoreFounding founding{from.shards(), from.replicas(), {}, from.seed()};
  for (const uint64_t id : from.founders()) founding.founders.push_back(NodeId{id});
  return founding;
}

std::string text_of(const ClusterId& cluster) {
  return absl::StrFormat("%016x%016x", cluster.high, cluster.low);
}

void set_life(proto::Life* to, const Life& from) {
  to->set_incarnation(from.incarnation);
  to->set_closes(from.closes);
}

}  // namespace

// ---- States -------------------------------------------------------------------------------------

void HubCore::send_state(Pair& pair) {
  if (pair.link() == 0) return;
  proto::State state;
  state.set_clock(context_.now.mono.ns);
  set_cluster_id(state.mutable_cluster(), cluster_);
  set_life(state.mutable_life(), context_.life);
  state.set_epoch(pair.epoch());
  state.set_known_epoch(pair.peer_epoch());
  if (pair.is_open()) {
    for (int lane = 0; lane < kLaneCount; ++lane) {
      state.add_received(pair.received(static_cast<Lane>(lane)));
    }
    forwarding_.fill_credit(pair, state.mutable_credit());
  }
  if (const StoredMember* const member = members_.find(pair.id())) {
    set_life(state.mutable_given_up(), member->given_up);
  }
  leases_.fill(state);
  if (cluster_ && !cluster_id_of(pair.said.cluster()) && store_founding_.shards != 0) {
    proto::StoreFounding* const store = state.mutable_store();
    store->set_shards(store_founding_.shards);
    store->set_replicas(store_founding_.replicas);
    for (const NodeId id : store_founding_.founders) store->add_founders(id.value);
    store->set_seed(store_founding_.seed);
  }
  if (!cluster_) {
    founding_.fill(state);
    for (const auto& [id, other] : pairs_) {
      if (other->link() != 0 && state.met_size() < kMetMax) state.add_met(other->hello.address());
    }
  }
  state.set_routes_version(routes_.version());
  state.set_routes_digest(routes_.digest());
  state.set_retained_digest(retained_.tree().digest());
  state.set_ready(why_not_ready().empty());
  state.set_draining(gives_leaderships());
  state.set_gone(is_gone_);
  state.set_leaving(placing_.is_leaving());
  state.set_clients(figures_.clients);
  state.set_routes(routes_.own_count());
  state.set_messages_in(figures_.messages_in);
  state.set_messages_out(figures_.messages_out);
  if (context_.level > kProtocolMin) state.set_level(context_.level);
  pair.send_now(FrameKind::kState, state);
}

void HubCore::send_states() {
  for (const auto& [id, pair] : pairs_) send_state(*pair);
}

HubCore::Said HubCore::said() const {
  Said said;
  for (const auto& [id, pair] : pairs_) {
    if (pair->link() != 0 && pair->said.epoch() != 0) said.emplace(id, &pair->said);
  }
  return said;
}

bool HubCore::on_state(Link& link, Pair& pair, const proto::State& state) {
  const Life life = life_of(state.life());
  if (state.epoch() == 0 || life.incarnation != pair.life.incarnation) return false;
  const ClusterId cluster = cluster_id_of(state.cluster());
  if (cluster && cluster_ && cluster != cluster_) {
    refuse(link,
           absl::StrFormat("node %s is in cluster %s, node %s in cluster %s", pair.hello.name(),
                           text_of(cluster), context_.config.node_name, text_of(cluster_)));
    return true;
  }
  if (is_outdated(link, state.level())) return true;
  if (cluster && cluster == cluster_) take_level(state.level());
  const LinkId link_id = link.id;
  choose_link(link, pair, true);
  pair.said = state;
  if (life > pair.life) on_life(pair, life);

  bool changed = false;
  if (members_.find(pair.id()) != nullptr) {
    changed = members_.merge(entry_of(pair));
  }
  if (members_.find(context_.self) != nullptr) {
    StoredMember self = own_entry();
    self.given_up = life_of(state.given_up());
    changed |= members_.merge(self);
  }
  // A node that was a founder and does not know it yet has no entry of its own to read it from.
  const bool is_unlisted = members_.find(context_.self) == nullptr;
  if (is_unlisted && life_of(state.given_up()) >= context_.life) close_all(kGoneOn);
  if (changed) on_members_changed();  // may close all: before the session's end tells the workers
  if (cluster && !cluster_) {
    adopt(cluster, founding_of(state.store()), {}, std::max(state.level(), kProtocolMin));
  }
  if (!cluster_) {
    for (int i = 0; i < std::min(state.met_size(), kMetMax); ++i) links_.add_target(state.met(i));
    found_step();
  }
  if (!follow_session(pair, link_id, state)) return false;
  const bool has_shards = !store_ || store_->has_peer_all(pair.id());
  pair.send_now(FrameKind::kStateAnswer, leases_.answer(pair, state, said(), has_shards));
  if (pair.is_open()) {
    routes_.on_digest(pair, state.routes_version(), state.routes_digest());
    retained_.on_heartbeat(pair, state.retained_digest());
  }
  if (state.gone()) on_gone(pair);
  settle();
  return true;
}

// Its clients of before are gone. The store counts its sessions by lives.
void HubCore::on_life(Pair& pair, const Life& life) {
  pair.life = life;
  if (store_ && pair.is_open()) store_->on_life(pair);
}

// ---- sessions -----------------------------------------------------------------------------------

bool HubCore::follow_session(Pair& pair, LinkId link, const proto::State& state) {
  bool changed = false;
  if (pair.is_open() && state.epoch() != pair.peer_epoch()) {
    end_session(pair, false);
    changed = true;
  }
  if (!pair.is_open() && may_open(pair)) {
    open_session(pair, state.epoch());
    changed = true;
  }
  if (pair.is_open() && state.known_epoch() == pair.epoch() && state.received_size() != 0) {
    std::vector<uint64_t> tokens;
    const bool resume = link == pair.link() && !pair.is_resumed();
    if (!pair.on_received(state.received(), resume, tokens)) return false;
    forwarding_.on_credit(pair, state.credit());
    pump(pair);
    on_tokens(pair, tokens);
  }
  if (changed) send_state(pair);
  return true;
}

bool HubCore::may_open(const Pair& pair) const {
  if (pair.said.gone()) return false;
  if (!cluster_ || closing_ != 0 || cluster_id_of(pair.said.cluster()) != cluster_) return false;
  // What a peer says of shards is for the store.
  if (store_ && !store_->is_open()) return false;
  // Each side must know that the other's clients are none that were given up.
  if (life_of(pair.said.given_up()) >= context_.life) return false;
  const StoredMember* const self = members_.find(context_.self);
  if (self != nullptr && self->left) return false;
  const StoredMember* const member = members_.find(pair.id());
  return member == nullptr || (!member->left && pair.life > member->given_up);
}

void HubCore::open_session(Pair& pair, uint64_t peer_epoch) {
  pair.open(peer_epoch);
  received_bytes_[pair.id()] = 0;
  forwarding_.on_open(pair);
  pair.send(FrameKind::kMembers, members_message());
  retained_.on_open(pair);
  routes_.on_open(pair);
  claims_.on_open(pair);
  if (!store_) return;
  store_->on_session(pair);
  placing_.on_session(pair);
}

void HubCore::end_session(Pair& pair, bool renew) {
  leases_.on_out_of_sync(pair.id());
  forwarding_.on_end(pair);
  routes_.on_end(pair);
  claims_.on_end(pair);
  if (store_) store_->on_session_end(pair);
  pair.end(renew);
  retained_.on_end(pair);
  if (leave_waits_.erase(pair.id()) != 0) check_left();
}

std::vector<Pair*> HubCore::open_pairs() {
  std::vector<Pair*> open;
  for (const auto& [id, pair] : pairs_) {
    if (pair->is_open()) open.push_back(pair.get());
  }
  return open;
}

// ---- in sync ------------------------------------------------------------------------------------

// A SUBACK goes out when these have the route: members that are not out, and others from the moment
// that they have all routes, so that what they miss does not grow while they come into sync.
std::vector<NodeId> HubCore::waited_for() const {
  std::vector<NodeId> waited;
  for (const auto& [id, member] : members_.all()) {
    if (id != context_.self && leases_.is_required(id)) waited.push_back(id);
  }
  for (const auto& [id, pair] : pairs_) {
    if (!leases_.is_required(id) && routes_.has_peer_applied_whole(*pair)) waited.push_back(id);
  }
  return waited;
}

// A retained message is kept, and a claim granted, when these have said so.
std::set<NodeId> HubCore::needed() const {
  std::set<NodeId> needed;
  for (const auto& [id, member] : members_.all()) {
    if (id != context_.self && leases_.is_required(id)) needed.insert(id);
  }
  for (const auto& [id, pair] : pairs_) {
    if (pair->is_open() && pair->link() != 0) needed.insert(id);
  }
  return needed;
}

// Null: what is sent to this one now may lie about for long.
Pair* HubCore::reachable(NodeId id) {
  Pair* const pair = find_pair(id);
  return pair != nullptr && pair->is_resumed() && has_good_link(*pair) ? pair : nullptr;
}

void HubCore::check_in_sync(Pair& pair) {
  if (!pair.is_open() || closing_ != 0 || leases_.is_in_sync(pair.id())) return;
  if (!routes_.is_synced_both_ways(pair)) return;
  if (!members_.is_member(pair.id())) return admit(pair);
  leases_.on_in_sync(pair);
  context_.log(HubEffects::Log::Level::kInfo, "in sync with node " + pair.hello.name());
  send_state(pair);
}

// What follows from how the members stand now.
void HubCore::settle() {
  give_up_silent();
  for (Pair* const pair : open_pairs()) check_in_sync(*pair);
  routes_.check_waits();
  if (store_) store_->check_routes();
  claims_.check_waits();
  retained_.check_waits();
  publish_ack_until();

  proto::State probe;
  leases_.fill(probe);
  std::vector<uint64_t> silent(probe.silent().begin(), probe.silent().end());
  if (silent == told_silent_) return;
  told_silent_ = std::move(silent);
  send_states();  // those who are to confirm it need not wait for the next heartbeat
}

// Comes for each announced batch from every peer and worker, so it may not cost a walk over all that
// settle() looks at: where all are in sync already, nothing else follows from it.
void HubCore::on_routes_applied() {
  const bool may_come_into_sync =
      std::any_of(pairs_.begin(), pairs_.end(), [this](const auto& each) {
        return each.second->is_open() && !leases_.is_in_sync(each.first);
      });
  if (may_come_into_sync) return settle();
  if (store_) store_->check_routes();
}

void HubCore::publish_ack_until() {
  Instant until = closing_ != 0 ? Instant{} : leases_.ack_until();
  if (!knows_shards(until)) until = Instant{};
  if (is_published_ && until == published_until_) return;
  is_published_ = true;
  published_until_ = until;
  context_.mail(context_.all_workers(), AckUntil{until});
}

}  // namespace shoal
