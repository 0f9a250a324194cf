#include "tests/raft/sim_server.h"

#include <utility>

#include "shoal/assert.h"

namespace shoal::raft::sim {
namespace {

constexpr Index kSnapshotEvery = 150;
constexpr unsigned kTrailing = 40;

GroupOptions options_of(GroupId group, NodeId node, uint64_t seed) {
  GroupOptions options;
  options.group = group;
  options.self = node;
  options.seed = seed;
  options.election_timeout_ms = 300;
  options.heartbeat_ms = 50;
  options.install_timeout_ms = 3000;
  options.catch_up_round_ms = 3000;
  options.message_bytes_max = 400;  // so that messages are split
  options.apply_bytes_max = 2000;
  options.apply_entries_max = 100;
  return options;
}

}  // namespace

SimServer::SimServer(GroupId group, NodeId node, Surroundings& world, bool takes_snapshots)
    : id_(group),
      node_(node),
      world_(world),
      takes_snapshots_(takes_snapshots),
      group_(std::make_unique<RaftGroup>(options_of(group, node, world.random().next()),
                                         world.disk(node))) {}

void SimServer::start() {
  DurableGroup& durable = world_.disk(node_).group(id_);
  if (durable.state) {
    applied_ = durable.state->meta.index;
    hash_ = durable.state->hash;
  }
  group_->start(world_.now(), durable.recover(), effects_);
  carry_out(effects_);
}

Outcome SimServer::step(Event event) {
  const auto* persisted = std::get_if<Persisted>(&event);
  if (persisted != nullptr && install_number_ != 0 && persisted->number >= install_number_) {
    installed();
  }
  const Index commit = group_->commit();
  const bool led = group_->role().role == Effects::RoleChange::Role::kLeader;
  const Outcome outcome = group_->step(world_.now(), std::move(event), effects_);
  if (group_->commit() < commit) world_.oracle().violate("the commit index went back");
  check_commit(commit, led);
  carry_out(effects_);
  return outcome;
}

// The staged state has become the state on the disk, so it does here.
void SimServer::installed() {
  install_number_ = 0;
  ++installs_;
  const State& state = *world_.disk(node_).group(id_).state;
  applied_ = state.meta.index;
  hash_ = state.hash;
  applies_.clear();
  world_.oracle().state_at(id_, node_, applied_, hash_);
}

void SimServer::check_commit(Index before, bool led) {
  const Effects::RoleChange role = group_->role();
  const Index commit = group_->commit();
  if (!led || role.role != Effects::RoleChange::Role::kLeader || commit <= before) return;
  if (commit < group_->first()) return;
  size_t durable = 0;
  // The term of the entry as the leader has it, whether it is durable here or not.
  const Term term = group_->term_at(commit);
  for (const Server& server : group_->configuration()->servers) {
    if (server.role != Role::kVoter) continue;
    if (world_.disk(server.id).group(id_).holds(commit, term)) ++durable;
  }
  world_.oracle().committed(id_, node_, commit, term, group_->configuration()->voters(), durable);
}

void SimServer::carry_out(Effects& filled) {
  Effects effects;
  std::swap(effects, filled);
  SimDisk& disk = world_.disk(node_);
  for (Effects::Persist& persist : effects.persists) {
    world_.oracle().written(persist);
    if (persist.install) install_number_ = persist.number;
    world_.note(persist.number);
    disk.write(std::move(persist));
  }
  if (disk.is_idle() && disk.has_waiting()) world_.disk_has_work(node_);
  for (const Message& message : effects.sends) {
    world_.oracle().sent(message, disk.group(id_));
    world_.send(message);
  }
  for (Effects::Apply& apply : effects.applies) {
    applies_.push_back(std::move(apply));
    if (applies_.size() == 1) apply_later();
  }
  for (const Effects::SendSnapshot& snapshot : effects.snapshots) {
    const std::optional<SnapshotMeta> meta = group_->meta_at(applied_);
    SHOAL_ASSERT(meta && meta->index >= snapshot.least);
    world_.send_snapshot(node_, snapshot, {*meta, hash_});
  }
  for (const Effects::Cut& cut : effects.cuts) {
    const std::optional<State>& state = disk.group(id_).state;
    SHOAL_ASSERT(state && cut.snapshot.index <= state->meta.index &&
                 cut.first <= cut.snapshot.index + 1);
    disk.cut(cut);
  }
  for (const Effects::RoleChange& role : effects.roles) {
    world_.oracle().role(node_, role, group_->applied());
  }
  for (const Effects::Committed& change : effects.configurations) {
    world_.oracle().configured(change);
  }
  arm_timer();
}

// One at a time, each in its own time, apart from the group's steps.
void SimServer::apply_later() {
  const Duration delay{static_cast<int64_t>(world_.random().below(2'000'000))};
  world_.later(node_, delay, [this, installs = installs_] {
    if (installs != installs_ || install_number_ != 0) return;
    for (const Entry& entry : applies_.front().entries) apply_entry(entry);
    applies_.pop_front();
    if (!applies_.empty()) apply_later();
    step(Applied{applied_});
    maybe_take_snapshot();
  });
}

void SimServer::apply_entry(const Entry& entry) {
  if (entry.index != applied_ + 1) world_.oracle().violate("an apply with a gap");
  hash_ = Oracle::next_hash(hash_, entry);
  applied_ = entry.index;
  world_.note(hash_);
  world_.oracle().applied(id_, node_, entry, hash_);
  const auto own = submitted_.find(entry.index);
  if (own == submitted_.end()) return;
  if (own->second == entry.term) {
    world_.oracle().acknowledged(id_, entry.index, entry.term);
    acknowledged_at_ = world_.now();
  }
  submitted_.erase(own);
}

// The state is flushed in its own time, apart from the log; only then may the log be cut.
void SimServer::maybe_take_snapshot() {
  if (!takes_snapshots_ || flushing_) return;
  if (applied_ < group_->snapshot().index + kSnapshotEvery) return;
  const std::optional<SnapshotMeta> meta = group_->meta_at(applied_);
  if (!meta || meta->index != applied_) return;
  flushing_ = true;
  const State state{*meta, hash_};
  const Duration delay{static_cast<int64_t>(world_.random().below(30'000'000))};
  world_.later(node_, delay, [this, state, installs = installs_] {
    flushing_ = false;
    if (installs != installs_ || install_number_ != 0) return;
    world_.disk(node_).flush(id_, state);
    step(SnapshotTaken{state.meta.index, kTrailing});
  });
}

Outcome SimServer::submit(std::vector<Payload> commands) {
  const size_t count = commands.size();
  const Outcome outcome = step(Submit{std::move(commands)});
  if (outcome != Outcome::kDone) return outcome;
  for (Index index = group_->last() - count + 1; index <= group_->last(); ++index) {
    submitted_[index] = group_->role().term;
  }
  return outcome;
}

// A deadline that moved back is looked at when the old one is over.
void SimServer::arm_timer() {
  const Instant deadline = group_->deadline();
  if (armed_ <= deadline) return;
  armed_ = deadline;
  world_.later(node_, deadline - world_.now(), [this, deadline] {
    if (armed_ != deadline) return;
    armed_ = Instant::never();
    if (world_.now() >= group_->deadline()) {
      step(Tick{});
    } else {
      arm_timer();
    }
  });
}

}  // namespace shoal::raft::sim
