// Membership.
#include "tests/raft/directed_parts.h"

namespace shoal::raft::sim {
namespace {

using How = ChangeMember::How;

// Guard 4.
std::string change_inside_a_message() {
  Stage stage(4);
  Verdict verdict;
  const Entry change =
      change_at(3, 2, {{{1}, Role::kVoter}, {{2}, Role::kVoter}, {{3}, Role::kVoter}});
  stage.step(
      2, Received{stage.message(1, 2, 2, AppendEntries{1, 1, 1, {command_at(2, 2, 1), change}})});
  stage.settle({2});
  verdict.expect(stage.server(2).is_change_pending(), "a change is not noticed");
  stage.step(2, Received{stage.message(1, 2, 2, AppendEntries{3, 2, 3, {}})});
  stage.settle({2});
  verdict.expect(!stage.server(2).is_change_pending(), "a committed change is pending for ever");
  return verdict.of(stage);
}

// Guard 5.
std::string change_waits_for_the_terms_own_entry() {
  Stage stage(4);
  Verdict verdict;
  verdict.expect(stage.elect_only(1, {2, 3, 4}), "no leader");
  verdict.expect(stage.step(1, ChangeMember{How::kRemove, {4}}) == Outcome::kNotServing,
                 "changes the membership in an unsettled term");
  stage.settle({1, 2, 3, 4});
  verdict.expect(stage.step(1, ChangeMember{How::kRemove, {4}}) == Outcome::kDone,
                 "does not change the membership");
  verdict.expect(stage.step(1, ChangeMember{How::kRemove, {3}}) == Outcome::kBusy,
                 "changes two members at once");
  stage.settle({1, 2, 3});
  verdict.expect(stage.server(1).configuration()->voters() == 3, "the change is not made");
  verdict.expect(stage.step(1, ChangeMember{How::kRemove, {3}}) == Outcome::kRefused,
                 "leaves two voters");
  return verdict.of(stage);
}

// Guard 6.
std::string lone_voter_raises_its_term() {
  Stage stage(1);
  Verdict verdict;
  stage.settle({1});
  verdict.expect(stage.leads(1) && stage.server(1).role().serving, "a lone voter does not serve");
  const Term term = stage.term(1);
  stage.submit(1);
  stage.crash(1);
  stage.restart(1);
  stage.settle({1});
  verdict.expect(stage.term(1) > term, "a lone voter uses a term twice");
  return verdict.of(stage);
}

// A lone voter, 1, with the learners 2 and 3, which have all of its log.
void add_two_learners(Stage& stage) {
  stage.add_empty_server();
  stage.add_empty_server();
  stage.settle({1});
  for (const NodeId learner : {NodeId{2}, NodeId{3}}) {
    stage.step(1, ChangeMember{How::kAddLearner, learner});
    stage.settle({1, 2, 3});
  }
  stage.submit(1);
  stage.settle({1, 2, 3});
}

size_t voters_at(Stage& stage, int number) {
  return stage.server(number).configuration()->voters();
}

// Guard 6.
std::string group_of_one_is_founded_anew() {
  Stage stage(1);
  Verdict verdict;
  stage.add_empty_server();
  stage.settle({1});
  stage.step(1, ChangeMember{How::kAddLearner, {2}});
  stage.settle({1, 2});
  verdict.expect(stage.step(1, ChangeMember{How::kPromote, {2}}) == Outcome::kRefused,
                 "a lone voter becomes one of two");
  verdict.expect(stage.step(1, ChangeMember{How::kFoundAnew, {2}}) == Outcome::kRefused,
                 "a group of two is founded");
  stage.step(1, ChangeMember{How::kRemove, {2}});
  stage.settle({1, 2});
  add_two_learners(stage);
  const Term term = stage.term(1);
  verdict.expect(stage.step(1, ChangeMember{How::kFoundAnew, {2}}) == Outcome::kDone,
                 "the group is not founded anew");
  stage.settle({1, 2, 3});
  verdict.expect(stage.leads(1) && stage.term(1) == term, "the founder leads no more");
  verdict.expect(voters_at(stage, 3) == 3, "a founder does not know that it is one");
  stage.crash(1);
  verdict.expect(stage.elect(2, {2, 3}), "the others elect nobody");
  verdict.expect(stage.submit(2) == Outcome::kDone, "the others do not go on");
  stage.settle({2, 3});
  verdict.expect(stage.server(2).applied() == stage.server(2).last(), "nothing is committed");
  return verdict.of(stage);
}

// Guard 6: who knows nothing would not vote for the founder.
std::string founders_know_that_they_are_learners() {
  Stage stage(1);
  Verdict verdict;
  stage.add_empty_server();
  stage.add_empty_server();
  for (const NodeId learner : {NodeId{2}, NodeId{3}}) {
    stage.settle({1, 2});
    stage.step(1, ChangeMember{How::kAddLearner, learner});
  }
  stage.settle({1, 2});
  verdict.expect(stage.step(1, ChangeMember{How::kFoundAnew, {2}}) == Outcome::kBusy,
                 "a group is founded with a server that knows nothing");
  stage.tick(1);
  stage.settle({1, 2, 3});
  verdict.expect(stage.step(1, ChangeMember{How::kFoundAnew, {2}}) == Outcome::kDone,
                 "the group is not founded anew");
  return verdict.of(stage);
}

// They hear and keep all that the first one said so far.
void let_others_hear(Stage& stage) {
  for (int i = 0; i < 3; ++i) {
    stage.deliver([](const Message& message) { return message.from == NodeId{1}; });
    stage.sync(2);
    stage.sync(3);
  }
}

// Guard 6: nobody hears of it before the founder cannot forget it any more.
std::string founding_is_durable_before_it_is_told() {
  Stage stage(1);
  Verdict verdict;
  add_two_learners(stage);
  stage.step(1, ChangeMember{How::kFoundAnew, {2}});
  stage.submit(1);
  stage.tick(1);
  let_others_hear(stage);
  verdict.expect(voters_at(stage, 2) == 1, "a founding is told that is not durable");
  stage.crash(1);
  for (int i = 0; i < 3; ++i) stage.tick(2);
  stage.settle({2, 3});
  verdict.expect(!stage.leads(2), "a learner leads");
  stage.restart(1);
  stage.settle({1, 2, 3});
  verdict.expect(stage.leads(1) && voters_at(stage, 1) == 1, "the lone voter does not go on");
  stage.step(1, ChangeMember{How::kFoundAnew, {3}});
  stage.settle({1, 2, 3});
  verdict.expect(voters_at(stage, 2) == 3, "the founding is not made up for");
  return verdict.of(stage);
}

// Nobody but the founder has heard of it: the others vote for it, as learners (guard 11).
std::string founding_that_nobody_heard_of() {
  Stage stage(1);
  Verdict verdict;
  add_two_learners(stage);
  stage.step(1, ChangeMember{How::kFoundAnew, {2}});
  stage.sync(1);
  stage.drop(kAll);
  stage.crash(1);
  stage.restart(1);
  verdict.expect(!stage.leads(1), "a founder of three leads alone");
  verdict.expect(voters_at(stage, 2) == 1 && voters_at(stage, 3) == 1, "others heard of it");
  for (int i = 0; i < 3; ++i) stage.tick(2);  // its leader is silent
  verdict.expect(stage.elect(1, {1, 2}), "nobody is elected");
  stage.settle({1, 2, 3});
  verdict.expect(voters_at(stage, 3) == 3, "the founding is lost");
  return verdict.of(stage);
}

// Asked by a member that does not know that it was removed, nobody may follow.
std::string removed_server_disturbs_nobody() {
  Stage stage(4);
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3, 4}), "no leader");
  stage.step(1, ChangeMember{How::kRemove, {4}});
  stage.drop(to(4));
  stage.settle({1, 2, 3});
  const Term term = stage.term(1);
  for (int i = 0; i < 6; ++i) {
    stage.tick(4);
    stage.sync(4);
    stage.deliver(kAll);
    stage.tick(1);
    stage.settle({1, 2, 3});
  }
  verdict.expect(stage.leads(1) && stage.term(1) == term, "a removed server disturbs the leader");
  return verdict.of(stage);
}

// Guard 11: of the four voters one is gone for good, and the new one has not heard that it is one.
std::string promoted_server_votes() {
  Stage stage(3);
  stage.add_empty_server();
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3}), "no leader");
  stage.settle({1, 2});
  stage.step(1, ChangeMember{How::kAddLearner, {4}});
  stage.settle({1, 2, 4});
  stage.crash(3);
  stage.step(1, ChangeMember{How::kPromote, {4}});
  stage.sync(1);
  verdict.expect(stage.server(1).configuration()->voters() == 4, "the learner is not promoted");
  stage.drop(kAll);
  stage.crash(1);
  stage.restart(1);
  verdict.expect(stage.server(4).configuration()->voters() == 3, "the learner heard of it");
  for (int i = 0; i < 3; ++i) stage.tick(4);  // its leader is silent
  verdict.expect(stage.elect(1, {1, 2, 4}), "nobody is elected");
  stage.settle({1, 2, 4});
  verdict.expect(stage.server(4).configuration()->voters() == 4, "the promotion is lost");
  return verdict.of(stage);
}

}  // namespace

std::vector<Schedule> schedules_of_members() {
  return {{"change-inside-a-message", change_inside_a_message},
          {"change-waits-for-the-terms-own-entry", change_waits_for_the_terms_own_entry},
          {"lone-voter-raises-its-term", lone_voter_raises_its_term},
          {"group-of-one-is-founded-anew", group_of_one_is_founded_anew},
          {"founding-is-durable-before-it-is-told", founding_is_durable_before_it_is_told},
          {"founders-know-that-they-are-learners", founders_know_that_they_are_learners},
          {"founding-that-nobody-heard-of", founding_that_nobody_heard_of},
          {"removed-server-disturbs-nobody", removed_server_disturbs_nobody},
          {"promoted-server-votes", promoted_server_votes}};
}

}  // namespace shoal::raft::sim
