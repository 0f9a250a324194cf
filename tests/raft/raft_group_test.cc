#include "cluster/raft/raft_group.h"

#include <gtest/gtest.h>

#include "cluster/raft/wire.h"
#include "tests/raft/sim_options.h"
#include "tests/raft/stage.h"

namespace shoal::raft::sim {
namespace {

using How = ChangeMember::How;

constexpr auto kLearner = shoal::raft::Role::kLearner;
constexpr auto kVoter = shoal::raft::Role::kVoter;

Payload bytes(size_t size) { return std::make_shared<const std::vector<uint8_t>>(size, 'x'); }

TEST(RaftGroup, OfOneServesAtOnce) {
  Stage stage(1);
  EXPECT_TRUE(stage.leads(1));
  EXPECT_FALSE(stage.server(1).role().serving);
  stage.settle({1});
  EXPECT_TRUE(stage.server(1).role().serving);
  EXPECT_EQ(stage.submit(1, 3), Outcome::kDone);
  stage.settle({1});
  EXPECT_EQ(stage.server(1).applied(), stage.server(1).last());
}

TEST(RaftGroup, RefusesOtherGroupsAndOthersMessages) {
  Stage stage(3);
  Message message = stage.message(2, 1, 5, RequestVote{1, 1, false, false});
  message.group.incarnation += 1;
  EXPECT_EQ(stage.step(1, Received{message}), Outcome::kOtherGroup);
  message = stage.message(2, 3, 5, RequestVote{1, 1, false, false});
  EXPECT_EQ(stage.step(1, Received{message}), Outcome::kOtherGroup);
  EXPECT_EQ(stage.term(1), 1u);
}

TEST(RaftGroup, RefusesASecondLeaderOfItsTerm) {
  Stage stage(3);
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  const Term term = stage.term(1);
  EXPECT_EQ(stage.step(1, Received{stage.message(2, 1, term, AppendEntries{1, 1, 1, {}})}),
            Outcome::kRefused);
  EXPECT_EQ(stage.step(1, Received{stage.message(
                              2, 1, term,
                              InstallSnapshot{{9, term, 1, *stage.server(1).configuration()}})}),
            Outcome::kRefused);
  EXPECT_TRUE(stage.leads(1));
}

TEST(RaftGroup, RefusesWhatContradictsACommittedEntry) {
  Stage stage(3);
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  stage.submit(1);
  stage.settle({1, 2, 3});
  stage.tick(1);
  stage.settle({1, 2, 3});
  const Index commit = stage.server(2).commit();
  const Term term = stage.term(2) + 5;
  EXPECT_EQ(stage.step(2, Received{stage.message(3, 2, term, AppendEntries{commit, term, 1, {}})}),
            Outcome::kRefused);
  EXPECT_EQ(
      stage.step(2, Received{stage.message(
                        3, 2, term,
                        InstallSnapshot{{commit, term, 1, *stage.server(2).configuration()}})}),
      Outcome::kRefused);
  EXPECT_EQ(stage.server(2).commit(), commit);
}

// Guard 10: which way libraft would go depends on where its memory lies.
TEST(RaftGroup, LooksAtNoVoteThatItDidNotAskFor) {
  Stage stage(3);
  const Term term = stage.term(2);
  stage.step(2, Received{stage.message(3, 2, term + 4, VoteResult{false, false})});
  EXPECT_EQ(stage.term(2), term);
}

TEST(RaftGroup, BoundsWhatIsUncommitted) {
  Stage stage(3);
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  Outcome outcome = Outcome::kDone;
  int taken = 0;
  for (; outcome == Outcome::kDone && taken < 20'000; ++taken) {
    outcome = stage.step(1, Submit{{bytes(1)}});
  }
  EXPECT_EQ(outcome, Outcome::kBusy);
  EXPECT_EQ(taken - 1, static_cast<int>(GroupOptions{}.uncommitted_entries_max));
}

TEST(RaftGroup, SplitsWhatItSendsByBytes) {
  Stage stage(3);
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  stage.drop([](const Message&) { return true; });
  const size_t half = GroupOptions{}.message_bytes_max / 2;
  ASSERT_EQ(stage.step(1, Submit{{bytes(half), bytes(half), bytes(half)}}), Outcome::kDone);
  std::vector<size_t> counts;
  for (const Message& message : stage.mail()) {
    const auto* body = std::get_if<AppendEntries>(&message.body);
    if (body != nullptr && message.to == NodeId{2}) counts.push_back(body->entries.size());
  }
  EXPECT_EQ(counts, (std::vector<size_t>{2, 1}));
}

TEST(RaftGroup, MembersComeAndGo) {
  Stage stage(3);
  stage.add_empty_server();
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  EXPECT_EQ(stage.step(1, ChangeMember{How::kPromote, {4}}), Outcome::kRefused);
  EXPECT_EQ(stage.step(1, ChangeMember{How::kAddLearner, {3}}), Outcome::kRefused);
  ASSERT_EQ(stage.step(1, ChangeMember{How::kAddLearner, {4}}), Outcome::kDone);
  stage.settle({1, 2, 3, 4});
  EXPECT_EQ(stage.server(1).configuration()->find({4})->role, kLearner);
  ASSERT_EQ(stage.step(1, ChangeMember{How::kPromote, {4}}), Outcome::kDone);
  EXPECT_EQ(stage.step(1, Transfer{{2}}), Outcome::kBusy);
  for (int i = 0; i < 5; ++i) {
    stage.tick(1);
    stage.settle({1, 2, 3, 4});
  }
  EXPECT_EQ(stage.server(4).configuration()->find({4})->role, kVoter);
  EXPECT_FALSE(stage.server(4).is_change_pending());
  EXPECT_EQ(stage.server(4).applied(), stage.server(1).applied());
  ASSERT_EQ(stage.step(1, ChangeMember{How::kRemove, {1}}), Outcome::kDone);
  stage.settle({1, 2, 3, 4});
  EXPECT_FALSE(stage.leads(1));
  EXPECT_TRUE(stage.oracle().violations().empty());
}

TEST(RaftGroup, HandsTheLeadershipOver) {
  Stage stage(3);
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  EXPECT_EQ(stage.step(2, Transfer{{3}}), Outcome::kNotLeader);
  EXPECT_EQ(stage.step(1, Transfer{{1}}), Outcome::kRefused);
  EXPECT_EQ(stage.step(1, Transfer{{3}}), Outcome::kDone);
  EXPECT_EQ(stage.submit(1), Outcome::kBusy);
  stage.settle({1, 2, 3});
  EXPECT_TRUE(stage.leads(3));
  EXPECT_TRUE(stage.server(3).role().serving);
}

TEST(RaftGroup, CutsTheLogBehindASnapshot) {
  Stage stage(3);
  ASSERT_TRUE(stage.elect(1, {1, 2, 3}));
  for (int i = 0; i < 20; ++i) stage.submit(1);
  stage.settle({1, 2, 3});
  const Index applied = stage.server(1).applied();
  stage.step(1, SnapshotTaken{applied, 5});
  EXPECT_EQ(stage.server(1).first(), applied - 4);
  EXPECT_EQ(stage.disk(1).first, applied - 4);
  EXPECT_EQ(stage.server(1).snapshot().index, applied);
  EXPECT_EQ(stage.server(1).snapshot().configuration.voters(), 3u);
  EXPECT_FALSE(stage.server(1).meta_at(applied - 1));
}

// Production code and a virtual world, one seed: the same run each time.
TEST(RaftSimulation, TheSameSeedIsTheSameRun) {
  SimOptions options;
  ASSERT_TRUE(set_mix("mix", 3, options));
  options.seed = 4;
  options.chaos = Duration::seconds(4);
  const SimResult first = run_simulation(options);
  const SimResult second = run_simulation(options);
  EXPECT_EQ(first.violations, std::vector<std::string>());
  EXPECT_GT(first.acknowledged, 1000u);
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_EQ(first.events, second.events);
  options.seed = 5;
  EXPECT_NE(run_simulation(options).hash, first.hash);
}

TEST(RaftSimulation, OfEveryKindHolds) {
  for (const char* mix : {"plain", "mix", "hard", "slow"}) {
    for (const int voters : {1, 3, 5}) {
      SimOptions options;
      ASSERT_TRUE(set_mix(mix, voters, options));
      options.chaos = Duration::seconds(5);
      EXPECT_EQ(run_simulation(options).violations, std::vector<std::string>()) << mix << voters;
    }
  }
}

}  // namespace
}  // namespace shoal::raft::sim
