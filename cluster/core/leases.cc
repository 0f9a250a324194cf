#include "cluster/core/leases.h"

#include "cluster/core/node_list.h"
#include "shoal/mutation.h"

namespace shoal {

Leases::Standing& Leases::standing_of(NodeId id) {
  const auto [it, is_new] = standings_.try_emplace(id);
  // For one that was stored: an earlier life of this process may have granted a lease until just
  // before it ended. For a new one: time to come into sync before it counts as silent.
  if (is_new) it->second.granted_until = context_.now.mono + granted_for();
  return it->second;
}

void Leases::on_members() {
  for (const auto& [id, member] : members_.all()) standing_of(id);
}

// Not given up after all.
void Leases::keep(Standing& standing) const {
  standing.giving_up = false;
  standing.give_up_stored = false;
}

const Leases::Standing* Leases::find(NodeId id) const {
  const auto it = standings_.find(id);
  return it == standings_.end() ? nullptr : &it->second;
}

void Leases::on_in_sync(const Pair& pair) {
  Standing& standing = standing_of(pair.id());
  standing.in_sync = true;
  standing.out = false;
  keep(standing);
  standing.in_sync_since = context_.now.mono;
  standing.heard_since = context_.now.mono;
  standing.last_heard = context_.now.mono;
  // It may hold us to be in sync before we grant anything: the same as a lease.
  standing.granted_until = context_.now.mono + granted_for();
}

void Leases::on_out_of_sync(NodeId id) { standing_of(id).in_sync = false; }

void Leases::on_gone(NodeId id) {
  Standing& standing = standing_of(id);
  standing.granted_until = std::min(standing.granted_until, context_.now.mono);
}

Instant Leases::in_sync_since(NodeId id) const {
  const Standing* const standing = find(id);
  return standing == nullptr ? Instant{} : standing->in_sync_since;
}

Instant Leases::last_answer(NodeId id) const {
  const Standing* const standing = find(id);
  return standing == nullptr ? Instant{} : standing->last_answer;
}

bool Leases::is_in_sync(NodeId id) const {
  const Standing* const standing = find(id);
  return standing != nullptr && standing->in_sync;
}

bool Leases::is_out(NodeId id) const {
  const Standing* const standing = find(id);
  return standing != nullptr && standing->out;
}

Instant Leases::lease_from(NodeId id) const {
  const Standing* const standing = find(id);
  return standing == nullptr ? Instant{} : standing->lease_until;
}

Instant Leases::kept_by(NodeId id) const {
  const Standing* const standing = find(id);
  return standing == nullptr ? Instant{} : standing->confirmed_until;
}

bool Leases::is_heard_both_ways(const Standing& standing) const {
  const Duration lease = context_.config.limits.lease;
  const Instant answered = std::max(standing.last_answer, standing.in_sync_since);
  return standing.in_sync && context_.now.mono - standing.last_heard < lease &&
         context_.now.mono - answered < lease;
}

void Leases::note_heard(Standing& standing, Instant Standing::*what, Instant when) {
  const bool was_heard = is_heard_both_ways(standing);
  standing.*what = std::max(standing.*what, when);
  if (!was_heard) standing.heard_since = context_.now.mono;
}

bool Leases::is_silent(NodeId id) const {
  const Standing* const standing = find(id);
  if (standing == nullptr) return false;
  if (SHOAL_MUTATED("lease-not-waited-for")) {
    return context_.now.mono - standing->last_heard > context_.config.limits.lease / 2;
  }
  return context_.now.mono >= standing->granted_until && !is_heard_both_ways(*standing);
}

std::vector<NodeId> Leases::silent_members() const {
  std::vector<NodeId> silent;
  for (const auto& [id, member] : members_.all()) {
    if (id != context_.self && is_required(id) && is_silent(id)) silent.push_back(id);
  }
  return silent;
}

void Leases::fill(proto::State& state) const {
  uint32_t live = 0;
  for (const auto& [id, member] : members_.all()) {
    if (id == context_.self || member.left) continue;
    const Standing* const standing = find(id);
    if (standing == nullptr) continue;
    if (is_heard_both_ways(*standing)) ++live;
    if (is_out(id) || is_silent(id) || standing->giving_up) state.add_silent(id.value);
  }
  state.set_live(live);
}

bool Leases::confirms(NodeId wisher, const proto::State& state, NodeId silent,
                      const std::map<NodeId, const proto::State*>& said) {
  if (silent == context_.self) return false;
  if (!members_.is_member(silent)) return true;
  // What an earlier life of this process confirmed is forgotten, and may be relied on so long.
  if (context_.now.mono < started_ + granted_for()) return false;
  const auto verdict = verdicts_.find({silent, wisher});
  if (verdict != verdicts_.end() && verdict->second > context_.now.mono) return false;

  const Standing* const standing = find(silent);
  if (standing == nullptr || !is_heard_both_ways(*standing)) return true;
  const auto other = said.find(silent);
  if (other == said.end()) return true;
  const uint32_t live = other->second->live();
  return state.live() != live ? state.live() > live : wisher < silent;
}

proto::StateAnswer Leases::answer(const Pair& from, const proto::State& state,
                                  const std::map<NodeId, const proto::State*>& said,
                                  bool has_shards) {
  proto::StateAnswer answer;
  answer.set_clock(state.clock());
  Standing& standing = standing_of(from.id());
  note_heard(standing, &Standing::last_heard, context_.now.mono);
  const StoredMember* const member = members_.find(from.id());
  // Back before it was out, and its clients of then are gone.
  if (member != nullptr && from.life > member->given_up) keep(standing);
  if (stopped_ || standing.giving_up || !is_required(from.id()) ||
      !members_.is_member(context_.self) || !is_heard_both_ways(standing) || !has_shards) {
    return answer;
  }
  answer.set_granted(true);
  standing.granted_until = context_.now.mono + granted_for();
  for (const uint64_t value : state.silent()) {
    const NodeId silent{value};
    if (!confirms(from.id(), state, silent, said)) continue;
    answer.add_confirmed(value);
    if (members_.is_member(silent)) verdicts_[{from.id(), silent}] = standing.granted_until;
  }
  return answer;
}

void Leases::on_answer(const Pair& from, const proto::StateAnswer& answer) {
  Standing& standing = standing_of(from.id());
  const Instant clock{answer.clock()};
  if (clock > context_.now.mono) return;
  note_heard(standing, &Standing::last_answer, clock);
  if (!answer.granted()) return;

  const Instant until = clock + context_.config.limits.lease;
  if (until < standing.confirmed_until) return;  // an older answer, by an older link
  standing.confirmed_until = until;
  standing.confirmed.clear();
  for (const uint64_t value : answer.confirmed()) standing.confirmed.push_back(NodeId{value});

  const bool confirms_all = std::all_of(members_.all().begin(), members_.all().end(),
                                        [this, &standing](const auto& entry) {
                                          return entry.second.left || !is_out(entry.first) ||
                                                 contains(standing.confirmed, entry.first);
                                        });
  if (confirms_all) standing.lease_until = std::max(standing.lease_until, until);
}

bool Leases::remaining_confirm(const std::vector<NodeId>& silent) const {
  int remaining = 1;
  for (const auto& [id, member] : members_.all()) {
    if (id == context_.self || !is_required(id) || contains(silent, id)) continue;
    const Standing* const standing = find(id);
    if (standing == nullptr || !standing->in_sync) return false;
    if (standing->confirmed_until <= context_.now.mono) return false;
    if (context_.now.mono - standing->heard_since < context_.config.limits.lease) return false;
    for (const auto& [other, entry] : members_.all()) {
      const bool must = !entry.left && (is_out(other) || contains(silent, other));
      if (must && !contains(standing->confirmed, other)) return false;
    }
    ++remaining;
  }
  return remaining >= members_.majority(context_.config.expect);
}

std::vector<NodeId> Leases::to_give_up() {
  if (stopped_ || !members_.is_member(context_.self)) return {};
  const std::vector<NodeId> silent = silent_members();
  if (silent.empty() || !remaining_confirm(silent)) return {};
  std::vector<NodeId> decided;
  for (const NodeId id : silent) {
    Standing& standing = standing_of(id);
    if (!standing.giving_up) decided.push_back(id);
    standing.giving_up = true;
  }
  return decided;
}

void Leases::on_stored(const std::vector<NodeId>& given_up) {
  for (const NodeId id : given_up) {
    Standing& standing = standing_of(id);
    standing.give_up_stored = standing.giving_up;
  }
}

std::vector<NodeId> Leases::take_out() {
  std::vector<NodeId> leaving;
  for (const auto& [id, standing] : standings_) {
    if (standing.give_up_stored && is_required(id)) leaving.push_back(id);
  }
  if (leaving.empty() || !remaining_confirm(leaving)) return {};
  for (const NodeId id : leaving) {
    Standing& standing = standing_of(id);
    standing.out = true;
    standing.in_sync = false;
    keep(standing);
  }
  // What we hold from now on rests on confirmations of these too.
  for (auto& [id, standing] : standings_) standing.lease_until = standing.confirmed_until;
  return leaving;
}

std::vector<NodeId> Leases::take_back() {
  std::vector<NodeId> back;
  for (auto& [id, standing] : standings_) {
    if (!standing.out) continue;
    int confirming = 1;
    for (const auto& [other, by] : standings_) {
      const bool holds = is_required(other) && by.confirmed_until > context_.now.mono;
      if (holds && contains(by.confirmed, id)) ++confirming;
    }
    if (confirming < members_.majority(context_.config.expect)) back.push_back(id);
  }
  for (const NodeId id : back) standing_of(id).out = false;
  return back;
}

Instant Leases::ack_until() const {
  if (stopped_ || !members_.is_member(context_.self)) return {};
  Instant until = Instant::never();
  int holding = 1;
  for (const auto& [id, member] : members_.all()) {
    if (id == context_.self || !is_required(id)) continue;
    until = std::min(until, lease_from(id));
    ++holding;
  }
  return holding >= members_.majority(context_.config.expect) ? until : Instant{};
}

}  // namespace shoal
