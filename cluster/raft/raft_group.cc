// The guards are rules of Raft that libraft 0.22.1's step interface leaves to its user, or breaks:
//
//   1   the answer to a message of an old term acknowledges nothing     group_effects.cc
//   2   a rejection below what a follower has is dropped                group_receive.cc
//   3   committed entries are cut off a message's front                 group_receive.cc
//   4   a change of configuration is the first entry that libraft sees  group_receive.cc
//   5   membership changes one voter at a time, in a settled term       group_submit.cc
//   6   all voters found together, as soon as a lone voter's disk has
//       it; a lone voter raises its term                                group_submit.cc,
//                                                                       group_effects.cc, here
//   7   messages wait for term and vote; only what stands is durable    group_effects.cc, here
//   8   nothing is applied or reported while a snapshot is installed    here
//   9   a refused pre-vote tells the higher term                        group_effects.cc
//   10  a vote that was not asked for is not looked at                  group_receive.cc
//   11  who is no voter yet by its own log votes like one               group_receive.cc
//
// Two more are the architecture's: a new leader serves only when an entry of its own term is applied
// (settle_leadership), and only what the own log holds durably is applied (hand_out).
#include "cluster/raft/raft_group.h"

#include <algorithm>
#include <utility>

#include "cluster/raft/engine_views.h"
#include "cluster/raft/wire.h"
#include "shoal/mutation.h"

namespace shoal::raft {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

raft_engine* new_engine(const GroupOptions& options) {
  SHOAL_ASSERT(options.self && options.heartbeat_ms < options.election_timeout_ms);
  const engine_options to{
      options.self.value,          static_cast<unsigned>(options.seed ^ (options.seed >> 32)),
      options.election_timeout_ms, options.heartbeat_ms,
      options.install_timeout_ms,  options.catch_up_round_ms,
      options.inflight_entries_max};
  return engine_new(&to);
}

// Guard 6. libraft elects a lone voter at its start in the term that it had, so that an entry that a
// power cut took and its successor would share index and term. A term of its own keeps them apart.
HardState term_of_start(const Recovered& recovered, const GroupLog& log, NodeId self) {
  const GroupLog::Change* latest = log.configuration_at(log.last());
  const Server* server = latest != nullptr ? latest->configuration.find(self) : nullptr;
  const bool is_alone =
      server != nullptr && server->role == Role::kVoter && latest->configuration.voters() == 1;
  if (!is_alone || SHOAL_MUTATED("raft-lone-voter-keeps-term")) return recovered.hard_state;
  return {recovered.hard_state.term + 1, self};
}

}  // namespace

void RaftGroup::EngineDeleter::operator()(raft_engine* engine) const { engine_free(engine); }

RaftGroup::RaftGroup(const GroupOptions& options, LogReader& store)
    : options_(options), store_(store), engine_(new_engine(options)) {
  role_.group = options.group;
}

RaftGroup::~RaftGroup() = default;

Recovered RaftGroup::founded(const Configuration& voters) {
  SHOAL_ASSERT(voters.voters() == voters.servers.size());
  Recovered recovered;
  recovered.hard_state.term = 1;
  recovered.log.push_back({1, 1, EntryKind::kChange, encode(voters)});
  return recovered;
}

void RaftGroup::start(Instant now, const Recovered& recovered, Effects& out) {
  now_ms_ = static_cast<uint64_t>(now.ns / kNsPerMs);
  log_.start(recovered);
  const HardState begin = term_of_start(recovered, log_, options_.self);
  if (begin != recovered.hard_state) {
    out.persists.push_back({options_.group, ++number_, begin, 0, {}, {}});
    writes_.push_back({number_, 0, {}});
    hard_number_ = number_;
  }
  if (recovered.snapshot) {
    snapshot_ = *recovered.snapshot;
    handed_ = applied_ = snapshot_.index;
    configured_ = snapshot_.configuration_index;
  }
  const EngineSnapshot snapshot(snapshot_);
  const EngineEntries entries(recovered.log);
  engine_update update;
  check_engine(engine_start(engine_.get(), now_ms_, begin.term, begin.vote.value,
                            recovered.snapshot ? &snapshot.view() : nullptr, recovered.first,
                            entries.data(), entries.size(), &update));
  absorb(update, {}, out);
  settle(out);
}

Outcome RaftGroup::step(Instant now, Event event, Effects& out) {
  // libraft takes a time that went back for a very long wait.
  now_ms_ = std::max(now_ms_, static_cast<uint64_t>(now.ns / kNsPerMs));
  const Outcome outcome = std::visit(
      [&](auto&& one) { return on(std::forward<decltype(one)>(one), out); }, std::move(event));
  settle(out);
  check_invariants();
  return outcome;
}

Outcome RaftGroup::on(Tick, Effects& out) {
  engine_update update;
  check_engine(engine_timeout(engine_.get(), now_ms_, &update));
  absorb(update, {}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::on(Persisted event, Effects& out) {
  SHOAL_ASSERT(event.number <= number_);
  durable_number_ = std::max(durable_number_, event.number);
  while (!writes_.empty() && writes_.front().number <= durable_number_) {
    const Write write = std::move(writes_.front());
    writes_.pop_front();
    if (write.install) finish_install(*write.install, out);
    if (SHOAL_MUTATED("raft-rewritten-entries-durable") && write.last > durable() &&
        write.last <= log_.last() && !installing_) {
      engine_update update;
      check_engine(engine_persisted_entries(engine_.get(), now_ms_, write.last, &update));
      absorb(update, {}, out);
    }
  }
  report_durable(durable_number_, out);
  return Outcome::kDone;
}

// Guard 7. An entry that was rewritten while its first version was on its way to the disk is durable
// only with the write that has the second; libraft takes any index that it is told. Guard 8: while a
// snapshot is installed its log is empty already, and an index of the old log means nothing.
void RaftGroup::report_durable(uint64_t number, Effects& out) {
  if (installing_) return;
  const Index to = log_.written_to(durable(), number);
  if (to == durable()) return;
  engine_update update;
  check_engine(engine_persisted_entries(engine_.get(), now_ms_, to, &update));
  absorb(update, {}, out);
  log_.forget(durable());
}

// Guard 8: the state and the log have become the snapshot's when libraft is told so.
void RaftGroup::finish_install(const SnapshotMeta& meta, Effects& out) {
  installing_ = false;
  snapshot_ = meta;
  handed_ = applied_ = meta.index;
  configured_ = meta.configuration_index;
  const EngineSnapshot snapshot(meta);
  engine_update update;
  check_engine(engine_persisted_snapshot(engine_.get(), now_ms_, &snapshot.view(), &update));
  absorb(update, {}, out);
  out.configurations.push_back({options_.group, meta.configuration_index, meta.configuration});
}

Outcome RaftGroup::on(Applied event, Effects&) {
  // One that comes after an installation speaks of the state before it.
  if (installing_ || event.index <= applied_) return Outcome::kDone;
  SHOAL_ASSERT(event.index <= handed_);
  applied_ = event.index;
  return Outcome::kDone;
}

Outcome RaftGroup::on(const SnapshotTaken& event, Effects& out) {
  const std::optional<SnapshotMeta> meta = meta_at(event.index);
  if (!meta || event.index == snapshot_.index) return Outcome::kDone;
  const EngineSnapshot snapshot(*meta);
  engine_update update;
  check_engine(
      engine_snapshot_taken(engine_.get(), now_ms_, &snapshot.view(), event.trailing, &update));
  snapshot_ = *meta;
  log_.snapshot(*meta, event.trailing);
  out.cuts.push_back({options_.group, *meta, log_.first()});
  absorb(update, {}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::on(const SnapshotSent& event, Effects&) {
  const auto at = sending_.find(event.to);
  if (at != sending_.end() && at->second == event.stream) sending_.erase(at);
  return Outcome::kDone;
}

// -- after each event ------------------------------------------------------------------------------

void RaftGroup::settle(Effects& out) {
  if (SHOAL_MUTATED("raft-acknowledge-before-durable")) report_durable(number_, out);
  if (installing_ && SHOAL_MUTATED("raft-install-not-awaited")) {
    finish_install(*std::exchange(writes_.back().install, std::nullopt), out);
  }
  commit_ = std::max(commit_, static_cast<Index>(engine_commit(engine_.get())));
  if (SHOAL_MUTATED("raft-old-term-by-counting") && is_leader()) {
    std::vector<Index> matches;
    for (const Server& server : configuration()->servers) {
      const bool is_self = server.id == options_.self;
      if (server.role == Role::kVoter) matches.push_back(is_self ? durable() : match(server.id));
    }
    std::sort(matches.begin(), matches.end(), std::greater<>());
    commit_ = std::max(commit_, matches[matches.size() / 2]);
  }
  settle_leadership(out);
  settle_configuration(out);
  settle_promotion(out);
  release_held(out);
  hand_out(out);
  report_role(out);
}

// The engine appends an entry of its own term only when its log has uncommitted ones. A term without
// one never learns what is committed, and a change of membership in it would not be safe (guard 5).
void RaftGroup::settle_leadership(Effects& out) {
  if (!is_leader()) {
    barrier_ = 0;
    promotee_ = {};
    sending_.clear();
    return;
  }
  if (led_term_ == term()) return;
  led_term_ = term();
  barrier_ = log_.last() + 1;
  const Outcome outcome = submit({{barrier_, term(), EntryKind::kBarrier, nullptr}}, out);
  SHOAL_ASSERT(outcome == Outcome::kDone);
}

// The engine is told of each committed change, in order. It may make a leader that was removed step
// down.
void RaftGroup::settle_configuration(Effects& out) {
  while (!installing_) {
    const GroupLog::Change* const change = log_.next_change(configured_);
    if (change == nullptr || change->index > commit_) return;
    configured_ = change->index;
    out.configurations.push_back({options_.group, change->index, change->configuration});
    const EngineConfiguration configuration(change->configuration);
    const engine_configuration view = configuration.view();
    engine_update update;
    check_engine(
        engine_configuration_committed(engine_.get(), now_ms_, configured_, &view, &update));
    absorb(update, {}, out);
  }
}

void RaftGroup::settle_promotion(Effects& out) {
  if (!promotee_ || engine_promotee(engine_.get()) == promotee_.value) return;
  const NodeId server = std::exchange(promotee_, NodeId{});
  if (!engine_caught_up(engine_.get(), server.value)) return;  // given up: too slow
  submit_change(ChangeMember::How::kPromote, server, out);
}

// Only what the own log holds durably: a state made durable is then never ahead of the log, which
// would have to be mended at each start. Bounded, so that a slow state machine is waited for.
void RaftGroup::hand_out(Effects& out) {
  if (installing_) return;  // guard 8
  Index ready = std::min(commit_, durable());
  if (SHOAL_MUTATED("raft-apply-uncommitted")) ready = durable();
  ready = std::min(ready, applied_ + options_.apply_entries_max);
  if (handed_ >= ready) return;
  Effects::Apply apply{options_.group, {}};
  log_.read(options_.group, handed_ + 1, ready, options_.apply_bytes_max, store_, apply.entries);
  if (apply.entries.empty()) return;  // the store failed
  handed_ = apply.entries.back().index;
  out.applies.push_back(std::move(apply));
}

void RaftGroup::report_role(Effects& out) {
  using Role = Effects::RoleChange::Role;
  const engine_state state = engine_state_of(engine_.get());
  Effects::RoleChange role{options_.group, Role::kFollower, term(), {}, false};
  role.leader = {engine_leader(engine_.get())};
  if (state == ENGINE_CANDIDATE) role.role = Role::kCandidate;
  if (state == ENGINE_LEADER) {
    role.role = Role::kLeader;
    role.leader = options_.self;
    role.serving = applied_ >= barrier_ || SHOAL_MUTATED("raft-serve-at-once");
  }
  if (role == role_) return;
  role_ = role;
  out.roles.push_back(role);
}

void RaftGroup::check_invariants() const {
  SHOAL_ASSERT(log_.last() == engine_last(engine_.get()));
  SHOAL_ASSERT(applied_ <= handed_);
  SHOAL_ASSERT(durable_number_ <= number_);
  SHOAL_ASSERT(installing_ || durable() <= log_.last());
  SHOAL_ASSERT(commit_ == engine_commit(engine_.get()) ||
               SHOAL_MUTATED("raft-old-term-by-counting"));
}

// -- questions -------------------------------------------------------------------------------------

bool RaftGroup::is_leader() const { return engine_state_of(engine_.get()) == ENGINE_LEADER; }
Term RaftGroup::term() const { return engine_term(engine_.get()); }
Index RaftGroup::durable() const { return engine_last_stored(engine_.get()); }
bool RaftGroup::is_change_pending() const { return engine_change_pending(engine_.get()); }
bool RaftGroup::is_transferring() const { return engine_transferee(engine_.get()) != 0; }
Index RaftGroup::match(NodeId server) const { return engine_match(engine_.get(), server.value); }

Index RaftGroup::lag(NodeId server) const { return last() - std::min(last(), match(server)); }

HardState RaftGroup::hard_state() const { return {term(), {engine_vote(engine_.get())}}; }

Instant RaftGroup::deadline() const {
  // A deadline of libraft's may lie in the past; a Tick for it at once would be one too many.
  const uint64_t ms = std::max<uint64_t>(engine_deadline(engine_.get()), now_ms_ + 1);
  return {static_cast<int64_t>(ms) * kNsPerMs};
}

const Configuration* RaftGroup::configuration() const {
  const GroupLog::Change* latest = log_.configuration_at(log_.last());
  return latest != nullptr ? &latest->configuration : nullptr;
}

const GroupLog::Change* RaftGroup::change_at(Index index) const {
  if (installing_ || index == 0 || index < snapshot_.index || index > applied_) return nullptr;
  const GroupLog::Change* change = log_.configuration_at(index);
  SHOAL_ASSERT(change != nullptr);
  return change;
}

std::optional<SnapshotMeta> RaftGroup::meta_at(Index index) const {
  const GroupLog::Change* change = change_at(index);
  if (change == nullptr) return std::nullopt;
  return SnapshotMeta{index, log_.term_of(index), change->index, change->configuration};
}

std::optional<Message> RaftGroup::install_message(NodeId to, const SnapshotMeta& meta) const {
  if (!is_leader()) return std::nullopt;
  return Message{options_.group, options_.self, to, term(), InstallSnapshot{meta}};
}

}  // namespace shoal::raft
