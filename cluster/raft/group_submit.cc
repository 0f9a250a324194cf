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

// Guard 6: a lone voter never becomes one of two, of which each would stop the group when it fails. With
// its learners it is founded anew, all voters named at once.
constexpr size_t kVotersMin = 3;

bool may_found_anew(const Configuration& now) {
  const size_t learners = now.servers.size() - now.voters();
  return now.voters() == 1 && learners + 1 >= kVotersMin && learners % 2 == 0;
}

bool may_change(How how, const Configuration& now, NodeId server) {
  const Server* const known = now.find(server);
  const bool is_learner = known != nullptr && known->role == Role::kLearner;
  const bool may_promote = now.voters() >= kVotersMin || SHOAL_MUTATED("raft-few-voters-change");
  switch (how) {
    case How::kAddLearner: return known == nullptr && now.servers.size() < kServersMax;
    case How::kPromote: return is_learner && may_promote;
    case How::kRemove: return is_learner || (known != nullptr && now.voters() > kVotersMin);
    case How::kFoundAnew: return is_learner && may_found_anew(now);
  }
  return false;
}

Configuration changed(How how, Configuration from, NodeId server) {
  std::vector<Server>& servers = from.servers;
  if (how == How::kFoundAnew) {
    for (Server& each : servers) each.role = Role::kVoter;
    return from;
  }
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
  if (event.how == How::kFoundAnew && !do_learners_vote()) return Outcome::kBusy;
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

// Guard 6. Should this server fail before it has told of the founding, it leads again by their votes alone:
// who has not even heard that it is a learner gives none.
bool RaftGroup::do_learners_vote() const {
  const Index since = log_.configuration_at(log_.last())->index;
  const std::vector<Server>& servers = configuration()->servers;
  return std::all_of(servers.begin(), servers.end(),
                     [&](const Server& each) {
                       return each.role == Role::kVoter || match(each.id) >= since;
                     }) ||
         SHOAL_MUTATED("raft-founds-with-strangers");
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
