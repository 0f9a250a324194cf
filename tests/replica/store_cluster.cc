#include "tests/replica/store_cluster.h"

#include <utility>

namespace shoal::replica::test {
namespace {

Duration micros(uint64_t n) { return {static_cast<int64_t>(n) * 1000}; }

raft::Configuration all_voters(int nodes) {
  raft::Configuration configuration;
  for (int i = 0; i < nodes; ++i) {
    configuration.servers.push_back({NodeId{static_cast<uint64_t>(i) + 1}, raft::Role::kVoter});
  }
  return configuration;
}

}  // namespace

StoreCluster::StoreCluster(uint64_t seed, int nodes, uint32_t shards, unsigned trailing)
    : world_(seed), shards_(shards), trailing_(trailing) {
  for (int i = 0; i < nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->id = NodeId{static_cast<uint64_t>(i) + 1};
    for (uint32_t shard = 0; shard < shards; ++shard) {
      const raft::Recovered founded = raft::RaftGroup::founded(all_voters(nodes));
      raft::sim::DurableGroup& durable = nodes_.back()->disk.group(group(shard));
      durable.hard_state = founded.hard_state;
      durable.first = founded.first;
      durable.log.assign(founded.log.begin(), founded.log.end());
    }
  }
}

// On the node's thread, in this life of it; a frozen node gets it when it goes on.
void StoreCluster::later(int at, Duration delay, std::function<void()> what) {
  Node& node = *nodes_[at];
  world_.after(delay, [this, at, life = node.life, what = std::move(what)]() mutable {
    Node& node = *nodes_[at];
    if (node.life != life) return;
    if (node.frozen_until > world_.now()) {
      return later(at, node.frozen_until - world_.now() + micros(1), std::move(what));
    }
    what();
    if (node.process) turn(at);
  });
}

// ---- lives --------------------------------------------------------------------------------------

void StoreCluster::start(int at) {
  Node& node = *nodes_[at];
  ++node.life;
  ++node.incarnation;
  node.frozen_until = {};
  node.process = std::make_unique<Process>();
  Process& process = *node.process;
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    process.disks.push_back(std::make_unique<MemoryDisk>(node.flushed[shard]));
    process.hosts.push_back(
        std::make_unique<ShardHost>(ShardServer::Options{.shard = shard,
                                                         .shards = shards_,
                                                         .cluster_seed = kClusterSeed,
                                                         .router_seed = world_.random().next(),
                                                         .unread_bytes = 300},
                                    *process.disks.back()));
  }
  Store::Options options;
  options.self = node.id;
  options.incarnation = node.incarnation;
  options.seed = world_.random().next();
  options.shards = shards_;
  options.cluster_seed = kClusterSeed;
  options.workers = 1;
  options.trailing = trailing_;
  process.store = std::make_unique<Store>(
      options,
      Store::Surroundings{
          .tell_workers = [&process](std::vector<PlacedRoute>) { return ++process.told; },
          .applied = [&process] { return process.told; },
          .waited_for =
              [&process] {
                return std::vector<NodeId>(process.peers.begin(), process.peers.end());
              }},
      node.disk);
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    process.store->add(group(shard), node.disk.group(group(shard)).recover(), now());
  }
  turn(at);
  tick(at);
  for (int other = 0; other < nodes(); ++other) {
    if (other != at) later(at, micros(1000), [this, at, other] { connect(at, other); });
  }
}

void StoreCluster::crash(int at) {
  Node& node = *nodes_[at];
  for (int other = 0; other < nodes(); ++other) {
    if (other != at) disconnect(at, other);
  }
  ++node.life;
  node.process.reset();
  node.disk.crash(world_.random());
  on_crash(at);
  const NodeId id = node.id;
  const uint64_t incarnation = node.incarnation;
  for (int other = 0; other < nodes(); ++other) {
    if (other == at || !nodes_[other]->process) continue;
    later(other, micros(1'200'000),
          [this, other, id, incarnation] { store(other).on_peer_gone(id, incarnation, now()); });
  }
}

void StoreCluster::freeze(int node, Duration for_so_long) {
  // Not longer than it is already: what waits for its end stays in order.
  if (nodes_[node]->frozen_until > world_.now()) return;
  nodes_[node]->frozen_until = world_.now() + for_so_long;
}

int StoreCluster::leader(uint32_t shard) const {
  int found = -1;
  uint64_t term = 0;
  for (int i = 0; i < nodes(); ++i) {
    if (!nodes_[i]->process) continue;
    const auto role = nodes_[i]->process->store->groups().find(shard)->role();
    if (!role.serving || role.term < term) continue;
    found = i;
    term = role.term;
  }
  return found;
}

void StoreCluster::tick(int at) {
  later(at, micros(20'000), [this, at] {
    store(at).on_tick(now());
    for (uint32_t shard = 0; shard < shards_; ++shard) {
      Process& process = *nodes_[at]->process;
      process.hosts[shard]->on_tick(now());
    }
    if (world_.random().one_in(40)) flush(at);
    // As RocksDB does when a table is full, and tells nobody.
    if (world_.random().one_in(40)) {
      for (const auto& disk : nodes_[at]->process->disks) disk->flush();
    }
    tick(at);
  });
}

// ---- network ------------------------------------------------------------------------------------

void StoreCluster::cut(int a, int b, bool is_cut) {
  if (is_cut) {
    cuts_.insert(pair_of(a, b));
    world_.after(micros(500'000), [this, a, b] {
      if (cuts_.contains(pair_of(a, b))) disconnect(a, b);
    });
  } else {
    cuts_.erase(pair_of(a, b));
    disconnect(a, b);  // what was sent meanwhile is lost
    world_.after(micros(10'000), [this, a, b] { connect(a, b); });
  }
}

void StoreCluster::heal() {
  for (const PairKey& each : std::set<PairKey>(cuts_)) cut(each.first, each.second, false);
}

void StoreCluster::connect(int a, int b) {
  if (!is_up(a) || !is_up(b) || is_cut(a, b) || sessions_.contains(pair_of(a, b))) return;
  sessions_[pair_of(a, b)] = ++last_session_;
  for (const auto& [at, peer] : {std::pair{a, b}, std::pair{b, a}}) {
    later(at, micros(100), [this, at = at, peer = peer, session = last_session_] {
      const auto it = sessions_.find(pair_of(at, peer));
      if (it == sessions_.end() || it->second != session) return;
      nodes_[at]->process->peers.insert(nodes_[peer]->id);
      store(at).on_peer(nodes_[peer]->id, nodes_[peer]->incarnation, now());
    });
  }
}

void StoreCluster::disconnect(int a, int b) {
  if (sessions_.erase(pair_of(a, b)) == 0) return;
  for (const auto& [at, peer] : {std::pair{a, b}, std::pair{b, a}}) {
    if (!is_up(at)) continue;
    later(at, micros(100), [this, at = at, peer = peer] {
      nodes_[at]->process->peers.erase(nodes_[peer]->id);
      store(at).on_peer_end(nodes_[peer]->id, now());
    });
  }
  world_.after(micros(300'000), [this, a, b] { connect(a, b); });
}

// ---- turns --------------------------------------------------------------------------------------

void StoreCluster::ask(int node, ToStore mail) {
  store(node).on_worker(0, std::move(mail), now());
  turn(node);
}

void StoreCluster::turn(int at) {
  Node& node = *nodes_[at];
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    HostEffects effects = node.process->hosts[shard]->end_turn();
    if (effects.is_installed) ++installed_;
    node.process->store->on_host(shard, std::move(effects), now());
  }
  StoreEffects effects = std::move(node.process->store->end_turn());
  node.process->store->end_turn().clear();
  carry_out(at, std::move(effects));
}

void StoreCluster::carry_out(int at, StoreEffects&& effects) {
  Node& node = *nodes_[at];
  for (StoreEffects::Frame& each : effects.frames) {
    const int to = index_of(each.to);
    const auto session = sessions_.find(pair_of(at, to));
    if (session == sessions_.end()) continue;
    // In order; what is on its way when a cut begins is lost with the session.
    Instant& last = last_delivery_[{at, to}];
    last = std::max(last, world_.now() + world_.long_tailed(micros(300)));
    auto frame = std::make_shared<StoreEffects::Frame>(std::move(each));
    later(to, last - world_.now(), [this, at, to, frame, number = session->second] {
      const auto it = sessions_.find(pair_of(at, to));
      if (it == sessions_.end() || it->second != number || is_cut(at, to)) return;
      const auto* const bytes = reinterpret_cast<const uint8_t*>(frame->bytes.data());
      store(to).on_frame(nodes_[at]->id, frame->kind, {bytes, frame->bytes.size()}, now());
    });
  }
  for (StoreEffects::ToShard& each : effects.servers) {
    to_server(at, each.shard, std::move(each.mail));
  }
  for (raft::Effects::Persist& each : effects.raft.persists) {
    if (each.install) {
      const uint32_t shard = each.group.shard;
      node.disk.staged(each.group)[each.install->index] = {*each.install,
                                                           server(at, shard).state().hash()};
    }
    node.disk.write(std::move(each));
  }
  if (node.disk.is_idle() && node.disk.has_waiting()) write(at);
  // What the state says of itself is kept with the log, so a crash before this leaves a state that is
  // ahead of it.
  for (const raft::Effects::Cut& each : effects.raft.cuts) {
    node.disk.flush(each.group, {each.snapshot, 0});
    node.disk.cut(each);
  }
  for (ClientEffects::Mail& each : effects.mails) on_mail(at, std::move(each.mail));
  // To all shards, and nobody live.
  for (StoreEffects::Publish& each : effects.publishes) {
    later(at, micros(100), [this, at, shard = each.shard, number = each.number] {
      store(at).on_targets(shard, {number, (uint64_t{1} << shards_) - 1, {}});
      store(at).on_published(shard, number);
    });
  }
  for (StoreEffects::RetainedQuery& each : effects.retained_queries) {
    RetainedFound found;
    found.query = std::move(each.query);
    found.done = true;
    later(at, micros(100), [this, at, shard = each.shard, found]() mutable {
      store(at).on_retained(shard, std::move(found));
    });
  }
}

// As from the hub's thread to that of the shard: in order, and in its own time.
void StoreCluster::to_server(int at, uint32_t shard, ToServer mail) {
  auto shared = std::make_shared<ToServer>(std::move(mail));
  later(at, micros(50), [this, at, shard, shared] {
    ShardHost& host = *nodes_[at]->process->hosts[shard];
    host.on(std::move(*shared), now());
    const ShardServer& server = host.server();
    const auto [it, is_new] =
        hashes_.try_emplace({shard, server.state().applied()}, server.state().hash());
    if (it->second != server.state().hash()) {
      violations.push_back("replicas of shard " + std::to_string(shard) + " differ at " +
                           std::to_string(server.state().applied()));
    }
  });
}

void StoreCluster::write(int at) {
  Node& node = *nodes_[at];
  node.disk.begin_batch();
  Duration sync = micros(100 + world_.random().below(5'000));
  if (world_.random().one_in(100)) sync = sync + micros(world_.random().below(400'000));
  later(at, sync, [this, at] {
    Node& node = *nodes_[at];
    for (const auto& [group, number] : node.disk.finish_batch()) {
      store(at).on_persisted(group, number, now());
    }
    if (node.disk.is_idle() && node.disk.has_waiting()) write(at);
  });
}

// The states as they are now become durable, all of them together.
void StoreCluster::flush(int at) {
  Node& node = *nodes_[at];
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    const ShardServer& server = this->server(at, shard);
    const raft::RaftGroup& raft = *node.process->store->groups().find(shard);
    // Entries without a command do not show in the state.
    const raft::Index index = std::min(raft.applied(), raft.commit());
    const auto meta = raft.meta_at(index);
    if (!meta || meta->index != index || server.state().applied() > index) continue;
    node.process->disks[shard]->flush();
    store(at).on_flushed(shard, index, now());
  }
}

void StoreCluster::check_replicas() {
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    for (int at = 0; at < nodes(); ++at) {
      if (!is_up(at)) continue;
      const auto& led = store(at).client().leader(shard);
      const auto role = store(at).groups().find(shard)->role();
      if (led.node && store(at).client().waiting() == 0) continue;
      violations.push_back("node " + std::to_string(at) + ", shard " + std::to_string(shard) +
                           ": takes " + std::to_string(led.node.value) + " of term " +
                           std::to_string(led.term) + " for its leader, " +
                           std::to_string(store(at).client().waiting()) + " ops wait; leader is " +
                           std::to_string(leader(shard)) + ", role " +
                           std::to_string(static_cast<int>(role.role)) + " serving " +
                           std::to_string(role.serving) + " term " + std::to_string(role.term) +
                           " entries waiting " + std::to_string(store(at).groups().waiting(shard)) +
                           " held " + std::to_string(store(at).routes().held(shard)));
    }
  }
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    std::set<uint64_t> hashes, routes;
    std::string indexes;
    for (int at = 0; at < nodes(); ++at) {
      if (!is_up(at)) continue;
      server(at, shard).state().check_invariants();
      hashes.insert(server(at, shard).state().hash());
      routes.insert(store(at).routes().digest());
      const raft::RaftGroup& raft = *store(at).groups().find(shard);
      indexes += " " + std::to_string(server(at, shard).state().applied()) + "/" +
                 std::to_string(raft.commit()) + "/" + std::to_string(raft.last());
    }
    if (hashes.size() > 1) {
      violations.push_back("replicas of shard " + std::to_string(shard) +
                           " are not alike in the end; applied/commit/last:" + indexes);
    }
    if (routes.size() > 1) violations.push_back("shard routes differ in the end");
  }
}

}  // namespace shoal::replica::test
