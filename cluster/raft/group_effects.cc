// What a step of the engine changed becomes effects.
#include <algorithm>
#include <utility>

#include "cluster/raft/engine_views.h"
#include "cluster/raft/raft_group.h"
#include "shoal/mutation.h"

namespace shoal::raft {
namespace {

bool is_pre_vote(const Message& message) {
  const auto* body = std::get_if<RequestVote>(&message.body);
  return body != nullptr && body->pre_vote;
}

bool is_from_leader(const Message& message) {
  return std::holds_alternative<AppendEntries>(message.body) ||
         std::holds_alternative<InstallSnapshot>(message.body);
}

Body body_of(const engine_message& from) {
  switch (from.type) {
    case ENGINE_APPEND_ENTRIES:
      return AppendEntries{from.prev_index, from.prev_term, from.commit, {}};
    case ENGINE_APPEND_RESULT: return AppendResult{from.rejected, from.last_index};
    case ENGINE_REQUEST_VOTE:
      return RequestVote{from.last_index, from.last_term, from.disrupt_leader, from.pre_vote};
    case ENGINE_VOTE_RESULT: return VoteResult{from.granted, from.pre_vote};
    default: return TimeoutNow{from.last_index, from.last_term};
  }
}

// Both guards mend an answer that libraft fills in wrongly.
void mend_answer(const Message* cause, Term own, Message& answer) {
  if (cause == nullptr || cause->term >= own) return;
  // Guard 1. The acknowledged index of the answer to an old leader is never set: it is whatever the
  // stack held. Its receiver, elected anew in the meantime, would take it for an acknowledgement of
  // this term and commit what no majority has.
  auto* result = std::get_if<AppendResult>(&answer.body);
  if (result != nullptr && is_from_leader(*cause) && !SHOAL_MUTATED("raft-old-term-answered")) {
    result->last_index = 0;
  }
  // Guard 9. The answer to a pre-vote carries the term that was asked for, also where it is refused
  // because that is too low: the asker never learns the higher one, and where its log is the longer
  // one nobody can be elected ever again.
  const bool is_vote = std::holds_alternative<VoteResult>(answer.body);
  if (is_vote && is_pre_vote(*cause) && !SHOAL_MUTATED("raft-pre-vote-hides-term")) {
    answer.term = own;
  }
}

}  // namespace

void RaftGroup::absorb(const engine_update& update, const Cause& cause, Effects& out) {
  persist(update, cause, out);
  send_all(update.message_count, cause, out);
}

void RaftGroup::persist(const engine_update& update, const Cause& cause, Effects& out) {
  if (!update.term_or_vote && !update.entries && !update.snapshot) return;
  Effects::Persist write{options_.group, ++number_, {}, 0, {}, {}};
  if (update.term_or_vote) {
    write.hard_state = hard_state();
    hard_number_ = number_;
    // What was to be said in an older term is of no use to anybody.
    std::erase_if(held_, [&](const Message& message) { return message.term < term(); });
  }
  if (update.entries) {
    write.first = update.entries_first;
    const Configuration* const before = configuration();
    const bool was_alone = is_leader() && before != nullptr && before->voters() == 1;
    if (update.entries_are_ours) {
      led_term_ = term();
      barrier_ = write.first;
      write.entries.push_back({barrier_, led_term_, EntryKind::kBarrier, nullptr});
    } else {
      SHOAL_ASSERT(update.entries_count <= cause.entries.size());
      const std::span<const Entry> fresh = cause.entries.last(update.entries_count);
      write.entries.assign(fresh.begin(), fresh.end());
    }
    log_.replace(write.first, write.entries, number_);
    // Guard 6. The others could elect one of them as soon as they have the entry that makes them voters,
    // and a lone voter that lost it would go on as one. On its disk it is as good as committed: from
    // there on nobody of the old configuration acts without it.
    const bool is_founded_anew = was_alone && configuration()->voters() > 1;
    if (is_founded_anew && !SHOAL_MUTATED("raft-founding-not-awaited")) hard_number_ = number_;
  }
  if (update.snapshot) {
    write.install = std::get<InstallSnapshot>(cause.message->body).meta;
    log_.install(*write.install);
    installing_ = true;
  }
  writes_.push_back(
      {number_, write.entries.empty() ? 0 : write.entries.back().index, write.install});
  out.persists.push_back(std::move(write));
}

void RaftGroup::send_all(size_t count, const Cause& cause, Effects& out) {
  for (size_t i = 0; i < count; ++i) {
    engine_message from;
    engine_message_at(engine_.get(), i, &from);
    const NodeId to{from.peer};
    if (from.type == ENGINE_INSTALL_SNAPSHOT) {
      send_snapshot(to, from.last_index, out);
      continue;
    }
    Message message{options_.group, options_.self, to, from.term, body_of(from)};
    mend_answer(cause.message, term(), message);
    if (auto* entries = std::get_if<AppendEntries>(&message.body); entries != nullptr) {
      AppendEntries body = std::move(*entries);
      send_entries(std::move(message), std::move(body), from.entry_count, out);
    } else {
      if (SHOAL_MUTATED("raft-whole-log-acknowledged")) {
        auto* result = std::get_if<AppendResult>(&message.body);
        if (result != nullptr && result->rejected == 0) result->last_index = log_.last();
      }
      send(std::move(message), out);
    }
  }
}

// libraft counts entries and knows no bytes: what it wants sent at once goes in several messages.
void RaftGroup::send_entries(Message message, AppendEntries body, size_t count, Effects& out) {
  const Index last = body.prev_index + count;
  do {
    body.entries.clear();
    if (body.prev_index < last) {
      log_.read(options_.group, body.prev_index + 1, last, options_.message_bytes_max, store_,
                body.entries);
    }
    message.body = body;
    send(message, out);
    if (body.entries.empty()) return;
    body.prev_index = body.entries.back().index;
    body.prev_term = body.entries.back().term;
  } while (body.prev_index < last);
}

// A snapshot takes its time to be streamed, and meanwhile the follower rejects every heartbeat, for
// each of which libraft sends the snapshot again.
void RaftGroup::send_snapshot(NodeId to, Index least, Effects& out) {
  if (!sending_.try_emplace(to, streams_ + 1).second) return;
  out.snapshots.push_back({options_.group, to, ++streams_, least});
}

// Guard 7. Term and vote share the log's batch and so are durable only later, while libraft expects
// them on disk before the first message of its update is sent: until then a message would promise
// what a power cut takes back, and a server could vote twice in a term.
void RaftGroup::send(Message message, Effects& out) {
  const bool waits = hard_number_ > durable_number_;
  if (!waits || SHOAL_MUTATED("raft-vote-not-awaited")) {
    out.sends.push_back(std::move(message));
  } else {
    held_.push_back(std::move(message));
  }
}

void RaftGroup::release_held(Effects& out) {
  if (hard_number_ > durable_number_) return;
  std::move(held_.begin(), held_.end(), std::back_inserter(out.sends));
  held_.clear();
}

}  // namespace shoal::raft
