// Messages from other servers. They were well formed (wire.h); what they say may be late, repeated,
// out of order, or of a server that is wrong about everything: then it is refused, and never asserted.
#include <algorithm>
#include <utility>

#include "cluster/raft/engine_views.h"
#include "cluster/raft/raft_group.h"
#include "cluster/raft/wire.h"
#include "shoal/mutation.h"

namespace shoal::raft {
namespace {

engine_message message_of(const Message& from, int type) {
  engine_message to{};
  to.type = type;
  to.peer = from.from.value;
  to.term = from.term;
  return to;
}

bool is_readable(const Entry& entry) {
  return entry.kind != EntryKind::kChange || decode_configuration(bytes_of(entry.payload));
}

}  // namespace

Outcome RaftGroup::on(Received event, Effects& out) {
  const Message& message = event.message;
  if (message.group != options_.group || message.to != options_.self) return Outcome::kOtherGroup;
  return std::visit([&](auto& body) { return receive(message, std::move(body), out); },
                    event.message.body);
}

// Guard 11. Whether a server may vote is for the candidate's configuration to say (Ongaro's
// dissertation, 4.2.1): its own may be older. libraft asks its own. Of four voters, one of them just
// promoted and one gone for good, the two that know of the promotion, or one of them, would ask the third
// in vain for ever.
bool RaftGroup::may_be_voter(const RequestVote& body) const {
  const Configuration* const now = configuration();
  const Server* const self = now == nullptr ? nullptr : now->find(options_.self);
  if (self == nullptr || self->role == Role::kVoter) return false;
  const bool has_leader = now_ms_ - leader_heard_ms_ < options_.election_timeout_ms;
  return (body.disrupt_leader || !has_leader) && !SHOAL_MUTATED("raft-learners-refuse");
}

Outcome RaftGroup::receive(const Message& message, const RequestVote& body, Effects& out) {
  engine_message to = message_of(message, ENGINE_REQUEST_VOTE);
  to.asks_non_voter = may_be_voter(body);
  to.last_index = body.last_index;
  to.last_term = body.last_term;
  to.disrupt_leader = body.disrupt_leader;
  to.pre_vote = body.pre_vote;
  engine_update update;
  check_engine(engine_receive(engine_.get(), now_ms_, &to, &update));
  absorb(update, {&message, {}}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::receive(const Message& message, const VoteResult& body, Effects& out) {
  // Guard 10. Before libraft asks whether it is a candidate at all, it looks at whether the candidate
  // is in its pre-vote: as follower or leader it reads a pointer or an id of the same union, so that
  // the same run could go another way where memory lies elsewhere.
  if (engine_state_of(engine_.get()) != ENGINE_CANDIDATE) return Outcome::kDone;
  // Nobody grants a pre-vote of a term that was not asked for.
  if (body.granted && message.term > term() + 1) return Outcome::kRefused;
  engine_message to = message_of(message, ENGINE_VOTE_RESULT);
  to.granted = body.granted;
  to.pre_vote = body.pre_vote;
  engine_update update;
  check_engine(engine_receive(engine_.get(), now_ms_, &to, &update));
  absorb(update, {&message, {}}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::receive(const Message& message, AppendEntries body, Effects& out) {
  if (message.term < term()) {
    body.entries.clear();  // only answered
  } else {
    if (message.term == term() && is_leader()) return Outcome::kRefused;
    leader_heard_ms_ = now_ms_;
    if (!std::all_of(body.entries.begin(), body.entries.end(), is_readable)) {
      return Outcome::kRefused;
    }
    if (contradicts_commit(body)) return Outcome::kRefused;
    if (!installing_) cut_committed(body);
  }
  append(message, body, out);
  return Outcome::kDone;
}

// Two different entries committed at one index: one of us is broken, and the engine would stop the
// node for what may be the other's fault.
bool RaftGroup::contradicts_commit(const AppendEntries& body) const {
  const auto differs = [&](Index index, Term term) {
    const Term own = log_.term_of(index);
    return index <= commit_ && own != 0 && own != term;
  };
  return differs(body.prev_index, body.prev_term) ||
         std::any_of(body.entries.begin(), body.entries.end(),
                     [&](const Entry& entry) { return differs(entry.index, entry.term); });
}

// Guard 3. Entries that are committed here are the same everywhere, and need no comparing. Without
// the cut, a message from the log's beginning that comes after a snapshot was installed is taken for
// news, since the log does not reach back that far, and appended at the log's end.
//
// Nor may a message that ends before what is committed here move the commit index: libraft takes
// what the message ends with for the most that is known, and would go back.
void RaftGroup::cut_committed(AppendEntries& body) const {
  if (SHOAL_MUTATED("raft-committed-entries-kept")) return;
  if (!body.entries.empty() && commit_ > body.prev_index) {
    const size_t cut = std::min<uint64_t>(body.entries.size(), commit_ - body.prev_index);
    body.prev_index = body.entries[cut - 1].index;
    body.prev_term = body.entries[cut - 1].term;
    body.entries.erase(body.entries.begin(), body.entries.begin() + static_cast<ptrdiff_t>(cut));
  }
  if (body.prev_index + body.entries.size() < commit_) body.commit = std::min(body.commit, commit_);
}

// Guard 4. Of a batch with a change of configuration libraft notes the index of the batch's first new
// entry as the change's: it would never see the change committed, and roll back to a configuration
// that was not there. So each change begins a piece of its own.
void RaftGroup::append(const Message& message, const AppendEntries& body, Effects& out) {
  const size_t count = body.entries.size();
  size_t begin = 0;
  for (size_t end = 1; end < count; ++end) {
    if (body.entries[end].kind != EntryKind::kChange) continue;
    if (installing_ || SHOAL_MUTATED("raft-change-not-first")) continue;
    if (!append_piece(message, body, begin, end, out)) return;
    begin = end;
  }
  append_piece(message, body, begin, count, out);
}

// The entries [begin, end) as a message of their own; false if they did not fit the log.
bool RaftGroup::append_piece(const Message& message, const AppendEntries& body, size_t begin,
                             size_t end, Effects& out) {
  const std::span<const Entry> piece = std::span(body.entries).subspan(begin, end - begin);
  const EngineEntries entries(piece);
  engine_message to = message_of(message, ENGINE_APPEND_ENTRIES);
  to.prev_index = body.prev_index + begin;
  to.prev_term = begin == 0 ? body.prev_term : body.entries[begin - 1].term;
  to.commit = body.commit;
  to.entries = entries.data();
  to.entry_count = entries.size();
  engine_update update;
  check_engine(engine_receive(engine_.get(), now_ms_, &to, &update));
  absorb(update, {&message, piece}, out);
  return piece.empty() || log_.term_of(piece.back().index) == piece.back().term;
}

Outcome RaftGroup::receive(const Message& message, const AppendResult& body, Effects& out) {
  // Guard 2. A rejection that points below what the follower is known to have durably was overtaken.
  // libraft would set the next index to send not above the acknowledged one, which its other parts
  // rule out: the follower may then wait for ever.
  const bool is_rejection = is_leader() && body.rejected > 0 && message.term == term();
  if (is_rejection && !SHOAL_MUTATED("raft-late-rejection-kept")) {
    const Index next = std::min(body.last_index, body.rejected - 1);
    if (next < match(message.from)) return Outcome::kDone;
  }
  engine_message to = message_of(message, ENGINE_APPEND_RESULT);
  to.rejected = body.rejected;
  to.last_index = body.last_index;
  engine_update update;
  check_engine(engine_receive(engine_.get(), now_ms_, &to, &update));
  absorb(update, {&message, {}}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::receive(const Message& message, const InstallSnapshot& body, Effects& out) {
  if (message.term == term() && is_leader()) return Outcome::kRefused;
  if (contradicts_commit({body.meta.index, body.meta.term, 0, {}})) return Outcome::kRefused;
  // Guard 8. One at a time; libraft forgets to free what it ignores. The leader asks again.
  if (installing_) return Outcome::kDone;
  const EngineSnapshot snapshot(body.meta);
  engine_message to = message_of(message, ENGINE_INSTALL_SNAPSHOT);
  to.snapshot = snapshot.view();
  engine_update update;
  check_engine(engine_receive(engine_.get(), now_ms_, &to, &update));
  absorb(update, {&message, {}}, out);
  return Outcome::kDone;
}

Outcome RaftGroup::receive(const Message& message, const TimeoutNow& body, Effects& out) {
  engine_message to = message_of(message, ENGINE_TIMEOUT_NOW);
  to.last_index = body.last_index;
  to.last_term = body.last_term;
  engine_update update;
  check_engine(engine_receive(engine_.get(), now_ms_, &to, &update));
  absorb(update, {&message, {}}, out);
  return Outcome::kDone;
}

}  // namespace shoal::raft
