#include "tests/replica/sim_store.h"

#include <algorithm>

#include "shoal/assert.h"

namespace shoal::replica::test {
namespace {

constexpr Duration kTick = Duration::millis(50);

}  // namespace

// ---- the disk -----------------------------------------------------------------------------------

void SimStore::found(raft::GroupId group, const raft::Configuration& voters) {
  SHOAL_ASSERT(!is_open());
  const raft::Recovered founded = raft::RaftGroup::founded(voters);
  raft::sim::DurableGroup& durable = disk_.group(group);
  durable.hard_state = founded.hard_state;
  durable.first = founded.first;
  durable.log.assign(founded.log.begin(), founded.log.end());
}

void SimStore::restore(raft::GroupId group, const raft::SnapshotMeta& meta,
                       const shard::MemoryKeyValues& values) {
  SHOAL_ASSERT(!is_open());
  states_[group.shard] = values;
  disk_.group(group) = {.hard_state = {meta.term, {}},
                        .state = raft::sim::State{meta, 0},
                        .first = meta.index + 1,
                        .log = {}};
}

bool SimStore::has(raft::GroupId group) const {
  const std::vector<raft::GroupId> all = disk_.groups();
  return std::find(all.begin(), all.end(), group) != all.end();
}

void SimStore::wipe() {
  SHOAL_ASSERT(!is_open());
  states_.clear();
  disk_ = {};
}

std::vector<SimStore::Held> SimStore::held() {
  SHOAL_ASSERT(!is_open());
  std::vector<Held> all;
  for (const raft::GroupId id : disk_.groups()) {
    all.push_back({id, disk_.group(id).recover(), states_[id.shard]});
  }
  return all;
}

void SimStore::put(const Held& held) {
  SHOAL_ASSERT(!is_open() && !states_.contains(held.group.shard));
  states_[held.group.shard] = held.state;
  raft::sim::DurableGroup& durable = disk_.group(held.group);
  durable.hard_state = held.log.hard_state;
  if (held.log.snapshot) durable.state = raft::sim::State{*held.log.snapshot, 0};
  durable.first = held.log.first;
  durable.log.assign(held.log.log.begin(), held.log.log.end());
}

// ---- a process ----------------------------------------------------------------------------------

void SimStore::open(const Options& options, Reports reports) {
  SHOAL_ASSERT(!is_open());
  ++life_;
  is_frozen_ = false;
  process_ = std::make_unique<Process>();
  process_->options = options;
  process_->reports = std::move(reports);
  for (const raft::GroupId id : disk_.groups()) replica(id.shard);
  tick();
  flush_later();
}

SimStore::Replica& SimStore::replica(uint32_t shard) {
  Replica& replica = process_->replicas[shard];
  if (replica.host) return replica;
  replica.shard = shard;
  replica.disk = std::make_unique<MemoryDisk>(states_[shard]);
  const Options& options = process_->options;
  replica.host =
      std::make_unique<ShardHost>(ShardServer::Options{.shard = shard,
                                                       .shards = options.shards,
                                                       .cluster_seed = options.cluster_seed,
                                                       .router_seed = world_.random().next(),
                                                       .unread_bytes = options.unread_bytes},
                                  *replica.disk);
  return replica;
}

std::vector<std::pair<raft::GroupId, raft::Recovered>> SimStore::recover() {
  std::vector<std::pair<raft::GroupId, raft::Recovered>> all;
  for (const raft::GroupId id : disk_.groups()) all.emplace_back(id, disk_.group(id).recover());
  return all;
}

const ShardServer* SimStore::server(uint32_t shard) const {
  if (!is_open()) return nullptr;
  const auto it = process_->replicas.find(shard);
  return it == process_->replicas.end() ? nullptr : &it->second.host->server();
}

// On a thread of this process.
void SimStore::later(Duration delay, Task what) {
  world_.after(delay, [this, life = life_, what = std::move(what)]() mutable {
    if (life != life_) return;
    if (is_frozen_) return process_->held.push_back(std::move(what));
    what();
  });
}

void SimStore::crash() {
  SHOAL_ASSERT(is_open());
  ++life_;
  // The whole of a flush or nothing.
  const bool flushed = process_->is_flushing && world_.random().one_in(2);
  for (auto& [shard, replica] : process_->replicas) {
    if (flushed) replica.disk->flush();
  }
  process_.reset();
  disk_.crash(world_.random());
}

void SimStore::unfreeze() {
  is_frozen_ = false;
  if (!is_open()) return;
  for (Task& each : std::exchange(process_->held, {})) each();
}

void SimStore::carry_out(StoreEffects& effects) {
  for (StoreEffects::ToShard& each : std::exchange(effects.servers, {})) {
    to_server(each.shard, std::move(each.mail));
  }
  for (raft::Effects::Persist& each : std::exchange(effects.raft.persists, {})) {
    if (each.install) disk_.staged(each.group)[each.install->index] = {*each.install, 0};
    disk_.write(std::move(each));
  }
  if (disk_.is_idle() && disk_.has_waiting()) write();
  for (const raft::Effects::Cut& each : std::exchange(effects.raft.cuts, {})) {
    later(world_.long_tailed(Duration::millis(1)), [this, each] { cut(each); });
  }
}

// ---- the shards' threads ------------------------------------------------------------------------

void SimStore::to_server(uint32_t shard, ToServer&& mail) {
  Replica& to = replica(shard);
  to.inbox.push_back(std::move(mail));
  run_soon(to);
}

void SimStore::run_soon(Replica& replica) {
  if (std::exchange(replica.is_due, true)) return;
  later(world_.long_tailed(process_->options.wake), [this, &replica] { run(replica); });
}

void SimStore::run(Replica& replica) {
  replica.is_due = false;
  const Options& options = process_->options;
  const uint64_t most = 1 + world_.random().below(16);
  for (uint64_t i = 0; i < most && !replica.inbox.empty(); ++i) {
    replica.host->on(std::move(replica.inbox.front()), options.now());
    replica.inbox.pop_front();
  }
  HostEffects effects = replica.host->end_turn();
  if (effects.is_installed) ++installed_;
  const shard::ShardState& state = replica.host->server().state();
  process_->reports.on_applied(replica.shard, state.applied(), state.hash());
  if (!effects.empty()) process_->reports.on_host(replica.shard, std::move(effects));
  if (!replica.inbox.empty()) run_soon(replica);
}

void SimStore::tick() {
  later(kTick, [this] {
    for (auto& [shard, replica] : process_->replicas) {
      replica.host->on_tick(process_->options.now());
      run_soon(replica);
    }
    tick();
  });
}

// ---- the log ------------------------------------------------------------------------------------

Duration SimStore::sync_time() {
  if (slow_until_ > world_.now()) return micros(20'000 + world_.random().below(400'000));
  const Duration sync = micros(100 + world_.random().below(5'000));
  return world_.random().one_in(100) ? sync + micros(world_.random().below(400'000)) : sync;
}

void SimStore::write() {
  disk_.begin_batch();
  later(sync_time(), [this] {
    for (const auto& [group, number] : disk_.finish_batch()) {
      process_->reports.on_persisted(group, number);
    }
    if (disk_.is_idle() && disk_.has_waiting()) write();
  });
}

// ---- the states ---------------------------------------------------------------------------------

void SimStore::flush_later() {
  later(world_.between(Duration::millis(200), Duration::millis(1500)), [this] { begin_flush(); });
}

// What was committed when it begins is durable when it ends, and maybe more.
void SimStore::begin_flush() {
  process_->is_flushing = true;
  std::map<uint32_t, raft::Index> committed;
  for (const auto& [shard, replica] : process_->replicas) {
    if (replica.host->committed() != 0) committed[shard] = replica.host->committed();
  }
  later(sync_time(), [this, committed = std::move(committed)] { end_flush(committed); });
}

void SimStore::end_flush(const std::map<uint32_t, raft::Index>& committed) {
  process_->is_flushing = false;
  for (auto& [shard, replica] : process_->replicas) replica.disk->flush();
  flush_later();
  // A database also flushes when it likes, and nobody is told.
  if (world_.random().one_in(4)) return;
  for (const auto& [shard, index] : committed) process_->reports.on_flushed(shard, index);
}

// What the state says of itself is kept with the log, so a crash before this leaves a state that is
// ahead of it.
void SimStore::cut(const raft::Effects::Cut& cut) {
  if (disk_.group(cut.group).end() < cut.snapshot.index) return;  // it was forgotten meanwhile
  disk_.flush(cut.group, {cut.snapshot, 0});
  disk_.cut(cut);
}

}  // namespace shoal::replica::test
