// Terms, votes, and what is acknowledged.
#include "tests/raft/directed_parts.h"

namespace shoal::raft::sim {
namespace {

// -- term and vote -----------------------------------------------------------------------------------

// A server that votes and crashes before the vote is on its disk may vote again: so nobody may have
// heard of the first one.
std::string crash_right_after_a_vote() {
  Stage stage(3);
  Verdict verdict;
  stage.step(3, Received{stage.message(1, 3, 2, RequestVote{1, 1, false, false})});
  verdict.expect(last_of<VoteResult>(stage, 3, 1) == nullptr,
                 "a vote is told before it is durable");
  stage.crash(3);
  stage.restart(3);
  stage.step(3, Received{stage.message(2, 3, 2, RequestVote{1, 1, false, false})});
  stage.sync(3);
  const Message* answer = last_of<VoteResult>(stage, 3, 2);
  verdict.expect(answer != nullptr && std::get<VoteResult>(answer->body).granted,
                 "a vote that was never told binds");
  return verdict.of(stage);
}

// The same with a vote that was durable: it binds.
std::string crash_after_a_durable_vote() {
  Stage stage(3);
  Verdict verdict;
  stage.step(3, Received{stage.message(1, 3, 2, RequestVote{1, 1, false, false})});
  stage.sync(3);
  stage.crash(3);
  stage.restart(3);
  stage.step(3, Received{stage.message(2, 3, 2, RequestVote{1, 1, false, false})});
  stage.sync(3);
  const Message* answer = last_of<VoteResult>(stage, 3, 2);
  verdict.expect(answer != nullptr && !std::get<VoteResult>(answer->body).granted,
                 "a vote is forgotten by a crash");
  return verdict.of(stage);
}

// A candidate's own vote counts only once it is durable; it asks nobody before.
std::string candidate_waits_for_its_own_vote() {
  Stage stage(3);
  Verdict verdict;
  stage.tick(1);
  stage.deliver(to(2));
  stage.deliver(to(1));  // the pre-vote is won: term 2 begins, and its vote is not durable
  verdict.expect(last_of<RequestVote>(stage, 1, 2) == nullptr, "votes are asked for too early");
  stage.sync(1);
  verdict.expect(last_of<RequestVote>(stage, 1, 2) != nullptr, "votes are never asked for");
  return verdict.of(stage);
}

// Guard 9: the one with the longer log has the lower term, and the other can never be elected.
std::string refused_pre_vote_tells_the_term() {
  Stage stage(3);
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3}), "no leader");
  stage.submit(1);
  stage.settle({1, 2});  // 3 does not hear of it
  stage.crash(1);
  stage.drop(kAll);
  // 3 has seen a much higher term, of a candidate that nobody heard otherwise.
  stage.step(3, Received{stage.message(1, 3, 9, RequestVote{1, 1, true, false})});
  stage.settle({3});
  stage.drop(kAll);
  for (int round = 0; round < 12 && !stage.leads(2); ++round) {
    for (const int each : {3, 2}) {
      stage.tick(each);
      stage.settle({2, 3});
    }
  }
  verdict.expect(stage.leads(2), "two servers of three find no leader");
  return verdict.of(stage);
}

// -- what is acknowledged ----------------------------------------------------------------------------

std::string nothing_acknowledged_before_it_is_durable() {
  Stage stage(3);
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3}), "no leader");
  const Index before = stage.server(1).commit();
  stage.submit(1);
  stage.sync(1);
  stage.deliver(to(2));
  stage.deliver(to(1));
  verdict.expect(stage.server(1).commit() == before, "committed by an entry in memory");
  stage.sync(2);
  stage.deliver(to(1));
  verdict.expect(stage.server(1).commit() == before + 1, "not committed by a durable majority");
  return verdict.of(stage);
}

// Guard 7: the write that becomes durable has entries that were replaced since.
std::string replaced_entries_are_not_durable() {
  Stage stage(3);
  Verdict verdict;
  stage.step(2, Received{stage.message(1, 2, 2, AppendEntries{1, 1, 1, {command_at(2, 2, 1)}})});
  stage.step(2, Received{stage.message(3, 2, 3, AppendEntries{1, 1, 1, {command_at(2, 3, 2)}})});
  stage.sync_first(2);
  verdict.expect(stage.server(2).durable() == 1, "what was replaced counts as durable");
  stage.sync(2);
  verdict.expect(stage.server(2).durable() == 2, "what replaced it is not durable");
  return verdict.of(stage);
}

// A tail that the leader has not spoken of may be another than the leader's.
std::string only_what_matches_is_acknowledged() {
  Stage stage(3);
  Verdict verdict;
  stage.step(2, Received{stage.message(
                    1, 2, 2, AppendEntries{1, 1, 1, {command_at(2, 2, 1), command_at(3, 2, 2)}})});
  stage.sync(2);
  stage.drop(kAll);
  stage.step(2, Received{stage.message(3, 2, 3, AppendEntries{1, 1, 1, {}})});
  stage.sync(2);
  const Message* answer = last_of<AppendResult>(stage, 2, 3);
  verdict.expect(answer != nullptr && std::get<AppendResult>(answer->body).last_index == 1,
                 "acknowledges entries that the leader did not send");
  return verdict.of(stage);
}

// Guard 1. First a message of the own term, which leaves an acknowledged index behind on the stack.
std::string old_leader_gets_no_acknowledgement() {
  Stage stage(3);
  Verdict verdict;
  for (Term term = 2; term < 6; ++term) {
    const Index last = stage.server(2).last();
    stage.step(
        2, Received{stage.message(
               3, 2, term,
               AppendEntries{last, term == 2 ? 1 : term - 1, 1, {command_at(last + 1, term, 1)}})});
    stage.sync(2);
    stage.drop(kAll);
    stage.step(2, Received{stage.message(3, 2, term, AppendEntries{last + 1, term, 1, {}})});
    stage.step(2, Received{stage.message(1, 2, 1, AppendEntries{0, 0, 1, {}})});
    const Message* answer = last_of<AppendResult>(stage, 2, 1);
    verdict.expect(answer != nullptr && std::get<AppendResult>(answer->body).last_index == 0,
                   "an old leader's message is acknowledged");
  }
  return verdict.of(stage);
}

// Guard 2: what a follower rejected before it caught up arrives when the leader probes it again.
std::string late_rejection_is_dropped() {
  Stage stage(3);
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3}), "no leader");
  for (int i = 0; i < 6; ++i) stage.submit(1);
  stage.settle({1, 2, 3});
  const Index match = stage.server(1).match({2});
  for (int i = 0; i < 40; ++i) {  // 2 is silent until the leader begins to probe
    stage.tick(1);
    stage.drop(to(2));
    stage.settle({1, 3});
  }
  stage.step(1, Received{stage.message(2, 1, stage.term(1), AppendResult{match, match - 4})});
  stage.tick(1);
  const Message* probe = last_of<AppendEntries>(stage, 1, 2);
  verdict.expect(probe != nullptr && std::get<AppendEntries>(probe->body).prev_index >= match,
                 "goes back behind what is acknowledged");
  return verdict.of(stage);
}

}  // namespace

std::vector<Schedule> schedules_of_votes() {
  return {{"crash-right-after-a-vote", crash_right_after_a_vote},
          {"crash-after-a-durable-vote", crash_after_a_durable_vote},
          {"candidate-waits-for-its-own-vote", candidate_waits_for_its_own_vote},
          {"refused-pre-vote-tells-the-term", refused_pre_vote_tells_the_term},
          {"nothing-acknowledged-before-it-is-durable", nothing_acknowledged_before_it_is_durable},
          {"replaced-entries-are-not-durable", replaced_entries_are_not_durable},
          {"only-what-matches-is-acknowledged", only_what_matches_is_acknowledged},
          {"old-leader-gets-no-acknowledgement", old_leader_gets_no_acknowledgement},
          {"late-rejection-is-dropped", late_rejection_is_dropped}};
}

}  // namespace shoal::raft::sim
