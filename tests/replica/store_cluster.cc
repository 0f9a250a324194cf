#include "tests/replica/store_cluster.h"

#include <algorithm>
#include <utility>

namespace shoal::replica::test {
namespace {

constexpr Duration kHubTick = Duration::millis(20);

raft::Configuration all_voters(const StoreCluster::Options& options) {
  raft::Configuration configuration;
  for (int i = 0; i < options.nodes; ++i) {
    configuration.servers.push_back({options.id_of(i), raft::Role::kVoter});
  }
  return configuration;
}

}  // namespace

StoreCluster::StoreCluster(const Options& options) : options_(options), world_(options.seed) {
  for (int i = 0; i < options.nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>(world_));
    nodes_.back()->id = options.id_of(i);
    for (uint32_t shard = 0; shard < options.shards; ++shard) {
      nodes_.back()->disks.found({shard, 1}, all_voters(options));
    }
  }
}

void StoreCluster::restore(uint32_t shard, raft::Index index, raft::Term term,
                           const shard::MemoryKeyValues& values) {
  const raft::SnapshotMeta meta{index, term, index, all_voters(options_)};
  nodes_.front()->disks.restore({shard, 1}, meta, values);
}

void StoreCluster::take_over(const std::vector<SimStore::Held>& held, uint64_t incarnation) {
  Node& node = *nodes_.front();
  node.disks.wipe();
  for (const SimStore::Held& each : held) node.disks.put(each);
  node.incarnation = incarnation;
}

void StoreCluster::forget_nodes(const std::vector<NodeId>& gone) {
  post(0, [this, gone] {
    for (const NodeId id : gone) store(0).on_peer_gone(id, UINT32_MAX, now());
  });
}

// ---- lives --------------------------------------------------------------------------------------

void StoreCluster::start(int at) {
  Node& node = *nodes_[at];
  ++node.life;
  ++node.incarnation;
  node.is_frozen = node.is_late = false;
  node.process = std::make_unique<Process>();
  open_store(at);
  run_soon(at);
  tick(at);
  for (int other = 0; other < nodes(); ++other) {
    if (other == at) continue;
    connect_soon(at, other, Duration::millis(1));
    if (!is_up(other)) give_up(at, other);
  }
}

void StoreCluster::open_store(int at) {
  Node& node = *nodes_[at];
  Process& process = *node.process;
  node.disks.open({.shards = options_.shards,
                   .cluster_seed = kClusterSeed,
                   .unread_bytes = options_.unread_bytes,
                   .now = [this] { return now(); },
                   .wake = options_.wake},
                  reports_of(at));
  Store::Options options;
  options.self = node.id;
  options.incarnation = node.incarnation;
  options.seed = world_.random().next();
  options.shards = options_.shards;
  options.cluster_seed = kClusterSeed;
  options.workers = options_.workers + 1;  // the hub itself
  options.piece_bytes = options_.piece_bytes;
  options.trailing = options_.trailing;
  options.uncommitted_entries_max = options_.uncommitted_entries_max;
  process.store = std::make_unique<Store>(
      options,
      Store::Surroundings{.tell_workers =
                              [this, at](std::vector<PlacedRoute> changes) {
                                return tell_workers(at, std::move(changes));
                              },
                          .applied = [&process] { return process.routes.applied; },
                          .waited_for = [this, at] { return waited_for(at); }},
      node.disks.log());
  for (const auto& [group, recovered] : node.disks.recover()) {
    process.store->add(group, recovered, now());
  }
}

SimStore::Reports StoreCluster::reports_of(int at) {
  return {.on_host =
              [this, at](uint32_t shard, HostEffects&& effects) {
                auto shared = std::make_shared<HostEffects>(std::move(effects));
                post(at, [this, at, shard, shared] {
                  store(at).on_host(shard, std::move(*shared), now());
                });
              },
          .on_persisted =
              [this, at](raft::GroupId group, uint64_t number) {
                post(at,
                     [this, at, group, number] { store(at).on_persisted(group, number, now()); });
              },
          .on_flushed =
              [this, at](uint32_t shard, raft::Index index) {
                post(at, [this, at, shard, index] { store(at).on_flushed(shard, index, now()); });
              },
          .on_applied = [this](uint32_t shard, raft::Index index,
                               uint64_t hash) { check_hash(shard, index, hash); }};
}

void StoreCluster::crash(int at) {
  Node& node = *nodes_[at];
  for (int other = 0; other < nodes(); ++other) {
    if (other != at) leave_soon(other, at, world_.long_tailed(Duration::millis(2)));
  }
  ++node.life;
  node.process.reset();
  node.disks.crash();
  on_crash(at);
  for (int other = 0; other < nodes(); ++other) {
    if (other != at && is_up(other)) give_up(other, at);
  }
}

void StoreCluster::freeze(int at, Duration for_so_long) {
  Node& node = *nodes_[at];
  if (std::exchange(node.is_frozen, true)) return;
  node.disks.freeze();
  world_.after(for_so_long, [this, at, life = node.life] {
    Node& node = *nodes_[at];
    if (node.life != life || !node.process) return;
    node.is_frozen = false;
    node.disks.unfreeze();
    if (std::exchange(node.is_late, false)) run(at);
  });
}

int StoreCluster::leader(uint32_t shard) const {
  int found = -1;
  uint64_t term = 0;
  for (int i = 0; i < nodes(); ++i) {
    if (!is_up(i)) continue;
    const auto role = store(i).groups().find(shard)->role();
    if (!role.serving || role.term < term) continue;
    found = i;
    term = role.term;
  }
  return found;
}

uint64_t StoreCluster::installed() const {
  uint64_t sum = 0;
  for (const auto& each : nodes_) sum += each->disks.installed();
  return sum;
}

// ---- a hub's thread -----------------------------------------------------------------------------

void StoreCluster::post(int at, Task task) {
  nodes_[at]->process->inbox.push_back(std::move(task));
  run_soon(at);
}

void StoreCluster::run_soon(int at) {
  Node& node = *nodes_[at];
  if (std::exchange(node.process->is_due, true)) return;
  world_.after(world_.long_tailed(options_.wake), [this, at, life = node.life] {
    Node& node = *nodes_[at];
    if (node.life != life || !node.process) return;
    if (node.is_frozen) {
      node.is_late = true;
    } else {
      run(at);
    }
  });
}

void StoreCluster::run(int at) {
  Process& process = *nodes_[at]->process;
  process.is_due = false;
  const uint64_t most = 1 + world_.random().below(16);
  for (uint64_t i = 0; i < most && !process.inbox.empty(); ++i) {
    const Task task = std::move(process.inbox.front());
    process.inbox.pop_front();
    task();
  }
  StoreEffects effects = std::move(process.store->end_turn());
  process.store->end_turn().clear();
  carry_out(at, std::move(effects));
  if (!process.inbox.empty()) run_soon(at);
}

void StoreCluster::tick(int at) {
  world_.after(kHubTick, [this, at, life = nodes_[at]->life] {
    if (nodes_[at]->life != life || !is_up(at)) return;
    post(at, [this, at] {
      store(at).on_tick(now());
      renew_leases(at);
    });
    tick(at);
  });
}

void StoreCluster::ask(int at, WorkerIndex worker, ToStore mail) {
  auto shared = std::make_shared<ToStore>(std::move(mail));
  post(at, [this, at, worker, shared] { store(at).on_worker(worker, std::move(*shared), now()); });
}

void StoreCluster::carry_out(int at, StoreEffects&& effects) {
  nodes_[at]->disks.carry_out(effects);
  for (StoreEffects::Frame& each : effects.frames) send(at, std::move(each));
  for (ClientEffects::Mail& each : effects.mails) {
    if (each.worker == hub_worker()) {
      on_group_has(at, std::get<SessionDone>(each.mail).number);
    } else {
      on_mail(at, each.worker, std::move(each.mail));
    }
  }
  for (StoreEffects::Publish& each : effects.publishes) {
    const uint32_t shard = each.shard;
    auto& unmatched = nodes_[at]->process->unmatched[shard];
    unmatched.push_back(std::move(each));
    if (unmatched.size() == 1) match_outbox(at, shard);
  }
  for (StoreEffects::RetainedQuery& each : effects.retained_queries) {
    RetainedFound found;
    found.query = std::move(each.query);
    found.done = true;
    post(at, [this, at, shard = each.shard, found] {
      store(at).on_retained(shard, RetainedFound(found));
    });
  }
}

// The first of its messages; the rest follow. Nobody live wants any.
void StoreCluster::match_outbox(int at, uint32_t shard) {
  world_.after(world_.long_tailed(micros(50)), [this, at, shard, life = nodes_[at]->life] {
    if (nodes_[at]->life != life || !is_up(at)) return;
    post(at, [this, at, shard] {
      auto& unmatched = nodes_[at]->process->unmatched[shard];
      if (may_publish(at)) {
        publish_item(at, unmatched.front());
        unmatched.pop_front();
      }
      if (!unmatched.empty()) match_outbox(at, shard);
    });
  });
}

void StoreCluster::publish_item(int at, const StoreEffects::Publish& item) {
  store(at).on_targets(item.shard, {item.number, item.group.empty() ? shards_of(at, kTopic) : 0});
  const uint64_t sharing = shards_of(at, kGroup);
  if (sharing == 0) return store(at).on_published(item.shard, item.number);
  Process& process = *nodes_[at]->process;
  process.at_group[++process.last_ask] = {item.shard, item.number};
  store(at).on_worker(hub_worker(),
                      ShardPublish{process.last_ask, sharing & ~(sharing - 1), kGroup, item.message,
                                   PickedItem{item.shard, item.number, item.least}},
                      now());
}

void StoreCluster::on_group_has(int at, uint64_t ask) {
  auto& asked = nodes_[at]->process->at_group;
  const auto it = asked.find(ask);
  const auto [shard, number] = it->second;
  asked.erase(it);
  post(at, [this, at, shard, number] { store(at).on_published(shard, number); });
}

// ---- routes -------------------------------------------------------------------------------------

uint64_t StoreCluster::tell_workers(int at, std::vector<PlacedRoute>&& changes) {
  nodes_[at]->process->routes.coming.push_back(std::move(changes));
  world_.after(world_.long_tailed(micros(100)), [this, at, life = nodes_[at]->life] {
    if (nodes_[at]->life != life || !is_up(at)) return;
    post(at, [this, at] {
      RouteTables& routes = nodes_[at]->process->routes;
      for (const PlacedRoute& each : routes.coming.front()) {
        uint64_t& shards = routes.shards[each.change.filter];
        const uint64_t bit = uint64_t{1} << each.place.worker;
        shards = each.change.weight.present() ? shards | bit : shards & ~bit;
      }
      routes.coming.pop_front();
      ++routes.applied;
      store(at).check_routes(now());
    });
  });
  return ++nodes_[at]->process->routes.told;
}

uint64_t StoreCluster::shards_of(int at, const std::string& filter) const {
  const auto& shards = nodes_[at]->process->routes.shards;
  const auto it = shards.find(filter);
  return it == shards.end() ? 0 : it->second;
}

// ---- judgement ----------------------------------------------------------------------------------

void StoreCluster::check_hash(uint32_t shard, raft::Index index, uint64_t hash) {
  const auto [it, is_new] = hashes_.try_emplace({shard, index}, hash);
  if (it->second == hash) return;
  violations.push_back("replicas of shard " + std::to_string(shard) + " differ at " +
                       std::to_string(index));
}

void StoreCluster::check_leader(int at, uint32_t shard) {
  const Store& store = this->store(at);
  const auto& led = store.client().leader(shard);
  const auto role = store.groups().find(shard)->role();
  if (led.node && store.client().waiting() == 0) return;
  violations.push_back(
      "node " + std::to_string(at) + ", shard " + std::to_string(shard) + ": takes " +
      std::to_string(led.node.value) + " of term " + std::to_string(led.term) +
      " for its leader, " + std::to_string(store.client().waiting()) + " ops wait; leader is " +
      std::to_string(leader(shard)) + ", role " + std::to_string(static_cast<int>(role.role)) +
      " serving " + std::to_string(role.serving) + " term " + std::to_string(role.term) +
      " entries waiting " + std::to_string(store.groups().waiting(shard)) + " held " +
      std::to_string(store.routes().held(shard)));
}

bool StoreCluster::is_settled() {
  for (int at = 0; at < nodes(); ++at) {
    if (!may_publish(at) || store(at).client().waiting() != 0) return false;
    for (uint32_t shard = 0; shard < options_.shards; ++shard) {
      if (!store(at).client().leader(shard).node || leader(shard) < 0) return false;
      const shard::ShardState& state = server(at, shard).state();
      const auto group = state.group(kGroup);
      if (state.meta().outbox != 0 ||
          (group && group->fresh.queued + group->returned.queued != 0)) {
        return false;
      }
      if (state.applied() != server(0, shard).state().applied()) return false;
    }
  }
  return true;
}

// Who leads in an earlier term than another did does not know it yet.
bool StoreCluster::is_overlooked(const std::string& client_id) {
  const uint32_t shard = shard::shard_of(client_id, kClusterSeed, options_.shards);
  const int at = leader(shard);
  if (at < 0) return false;
  uint64_t& last_term = lead_terms_[shard];
  const uint64_t term = store(at).groups().find(shard)->role().term;
  last_term = std::max(last_term, term);
  return term == last_term && store(at).is_nothing_stored(client_id);
}

// In the end nothing is on its way from shard to shard, and the group has nothing for its members.
void StoreCluster::check_left_over(int at, uint32_t shard) {
  const shard::ShardState& state = server(at, shard).state();
  const std::string where = "node " + std::to_string(at) + ", shard " + std::to_string(shard);
  if (state.meta().outbox != 0) {
    violations.push_back(where + ": " + std::to_string(state.meta().outbox) + " in the outbox");
  }
  const auto group = state.group(kGroup);
  if (!group || group->fresh.queued + group->returned.queued == 0) return;
  violations.push_back(where + ": the group holds " +
                       std::to_string(group->fresh.queued + group->returned.queued) + ", " +
                       std::to_string(group->online) + " of " + std::to_string(group->members) +
                       " members are there");
}

void StoreCluster::check_replicas() {
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    std::set<uint64_t> hashes, routes;
    std::string indexes;
    for (int at = 0; at < nodes(); ++at) {
      if (!is_up(at)) continue;
      check_leader(at, shard);
      const shard::ShardState& state = server(at, shard).state();
      state.check_invariants();
      check_left_over(at, shard);
      hashes.insert(state.hash());
      if (store(at).session_ids(shard).sessions() != state.meta().sessions) {
        violations.push_back("node " + std::to_string(at) + " knows of " +
                             std::to_string(store(at).session_ids(shard).sessions()) +
                             " sessions in shard " + std::to_string(shard) + " of " +
                             std::to_string(state.meta().sessions));
      }
      routes.insert(store(at).routes().digest());
      const raft::RaftGroup& raft = *store(at).groups().find(shard);
      indexes += " " + std::to_string(state.applied()) + "/" + std::to_string(raft.commit()) + "/" +
                 std::to_string(raft.last());
    }
    if (hashes.size() > 1) {
      violations.push_back("replicas of shard " + std::to_string(shard) +
                           " are not alike in the end; applied/commit/last:" + indexes);
    }
    if (routes.size() > 1) violations.push_back("shard routes differ in the end");
  }
}

}  // namespace shoal::replica::test
