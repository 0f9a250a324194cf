// What is asked of a leader: commands, changes of membership, giving the leadership away.
#include <algorithm>
#include <utility>

#include "cluster/raft/engine_views.h"
#include "cluster/raft/raft_group.h"
#include "cluster/raft/wire.h"
#include "shoal/mutation.h"

namespace shoal::raft {
namespace {

using How = ChangeMember::How;

// Guard 6: a group of one stays one. A server that does not know yet that it is a voter refuses its
// vote, so one that grows to two can end without a leader for ever; and a lone voter's terms are not
// what Raft takes them for. Where there is nobody else, a group is founded anew instead.
constexpr size_t kVotersMin = 3;

bool may_change(How how, const Configuration& now, NodeId server) {
  const Server* const known = now.find(server);
  const bool too_few = now.voters() < kVotersMin;
  if (too_few && !SHOAL_MUTATED("raft-few-voters-change")) return false;
  switch (how) {
    case How::kAddLearner: return known == nullptr && now.servers.size() < kServersMax;
    case How::kPromote: return known != nullptr && known->role == Role::kLearner;
    case How::kRemove:
      return known != nullptr && (known->role == Role::kLearner || now.voters() > kVotersMin);
  }
  return false;
}

Configuration changed(How how, Configuration from, NodeId server) {
  std::vector<Server>& servers = from.servers;
  std::erase_if(servers, [&](const Server& one) { return one.id == server; });
  if (how == How::kRemove) return from;
  servers.push_back({server, how == How::kPromote ? Role::kVoter : Role::kLearner});
  std::sort(servers.begin(), servers.end());
  return from;
}

}  // namespace

Outcome RaftGroup::on(Submit event, Effects& out) {
  SHOAL_ASSERT(!event.commands.empty());
  if (const Outcome leads = check_leads(); leads != Outcome::kDone) return leads;
  if (is_transferring()) return Outcome::kBusy;
  if (log_.last() - std::min(commit_, log_.last()) + event.commands.size() >
      options_.uncommitted_entries_max) {
    return Outcome::kBusy;
  }
  std::vector<Entry> entries;
  entries.reserve(event.commands.size());
  Index index = log_.last();
  for (Payload& command : event.commands) {
    entries.push_back({++index, term(), EntryKind::kCommand, std::move(command)});
  }
  return submit(std::move(entries), out);
}

Outcome RaftGroup::submit(std::vector<Entry> entries, Effects& out) {
  const EngineEntries views(entries);
  engine_update update;
  if (engine_submit(engine_.get(), now_ms_, views.data(), views.size(), &update) != 0) {
    return Outcome::kBusy;
  }
  absorb(update, {nullptr, entries}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::check_leads() const {
  if (!is_leader()) return Outcome::kNotLeader;
  return applied_ >= barrier_ || SHOAL_MUTATED("raft-serve-at-once") ? Outcome::kDone
                                                                     : Outcome::kNotServing;
}

// Guard 5. Two leaders that each change the membership are safe only if the second has committed an
// entry of its own term before, and if majorities of successive configurations overlap: one voter at
// a time. libraft counts a catch-up and a transfer as running beside a change and trips over both.
Outcome RaftGroup::on(ChangeMember event, Effects& out) {
  const bool unsettled = SHOAL_MUTATED("raft-change-in-unsettled-term");
  const Outcome leads = check_leads();
  if (leads != Outcome::kDone && !(unsettled && is_leader())) return leads;
  if (promotee_ || is_transferring() || is_change_pending()) return Outcome::kBusy;
  if (!may_change(event.how, *configuration(), event.server)) return Outcome::kRefused;
  // libraft looks at how far a learner is only when it gets further, so that one that lacks nothing
  // would be given up where nothing is written.
  const bool is_there = match(event.server) == log_.last();
  if (event.how != How::kPromote || is_there) return submit_change(event.how, event.server, out);
  promotee_ = event.server;
  engine_update update;
  check_engine(engine_catch_up(engine_.get(), now_ms_, event.server.value, &update));
  absorb(update, {}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::submit_change(How how, NodeId server, Effects& out) {
  Payload change = encode(changed(how, *configuration(), server));
  return submit({{log_.last() + 1, term(), EntryKind::kChange, std::move(change)}}, out);
}

Outcome RaftGroup::on(Transfer event, Effects& out) {
  if (const Outcome leads = check_leads(); leads != Outcome::kDone) return leads;
  if (promotee_ || is_transferring() || is_change_pending()) return Outcome::kBusy;
  engine_update update;
  if (engine_transfer(engine_.get(), now_ms_, event.to.value, &update) != 0) {
    return Outcome::kRefused;  // not another voter
  }
  absorb(update, {}, out);
  return Outcome::kDone;
}

}  // namespace shoal::raft
