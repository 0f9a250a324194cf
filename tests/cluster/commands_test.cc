// Drain, leave and remove: what members, majorities and readiness make of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <absl/strings/str_format.h>

#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

class Commands : public ::testing::Test {
 protected:
  void make(int nodes) {
    cluster_ = std::make_unique<HubCluster>(ClusterOptions{.nodes = nodes});
    ASSERT_TRUE(cluster_->run_until([&] { return cluster_->all_ready(); }, 3000));
  }
  // The last answer that `index` gave.
  HubEffects::Answer answer(int index, HubCommand command) {
    const size_t before = cluster_->node(index).answers.size();
    cluster_->command(index, 1, std::move(command));
    cluster_->run_until([&] { return cluster_->node(index).answers.size() > before; }, 10'000);
    return cluster_->node(index).answers.size() > before ? cluster_->node(index).answers.back()
                                                         : HubEffects::Answer{0, false, "none"};
  }
  int members(int index) {
    int count = 0;
    for (const MemberStatus& member : cluster_->status(index).members) {
      count += member.state == MemberState::kLeft ? 0 : 1;
    }
    return count;
  }
  std::string id_of(int index) { return absl::StrFormat("%016x", cluster_->id(index).value); }

  std::unique_ptr<HubCluster> cluster_;
};

TEST_F(Commands, ADrainedNodeIsNotReadyAndTakesNoNewClients) {
  make(3);
  EXPECT_TRUE(answer(0, DrainCommand{50}).ok);
  cluster_->run(500);
  EXPECT_FALSE(cluster_->status(0).ready);
  EXPECT_TRUE(cluster_->member(1, 0).draining);
  EXPECT_TRUE(cluster_->may_acknowledge(0)) << "its clients go on until it is their turn";
  const auto drains = cluster_->mails<Drain>(0);
  ASSERT_EQ(drains.size(), 2u);
  EXPECT_EQ(drains[0].per_second, 25) << "of each of two workers";
  EXPECT_TRUE(answer(0, DrainCommand{0}).ok);
  EXPECT_TRUE(cluster_->status(0).ready);
}

TEST_F(Commands, WhoLeavesIsForgottenEverywhereAndMajoritiesShrink) {
  make(5);
  for (const int leaving : {4, 3, 2}) {
    EXPECT_EQ(cluster_->status(0).majority, (leaving + 1) / 2 + 1);
    EXPECT_TRUE(answer(leaving, LeaveCommand{}).ok);
    EXPECT_FALSE(cluster_->status(leaving).ready);
    EXPECT_EQ(cluster_->node(leaving).all_closes, 1);
    for (int i = 0; i < leaving; ++i) {
      EXPECT_EQ(members(i), leaving) << i;
      EXPECT_EQ(cluster_->status(i).majority, leaving / 2 + 1) << i;
    }
    cluster_->crash(leaving);
    cluster_->run(100);
    for (int i = 0; i < leaving; ++i) EXPECT_TRUE(cluster_->may_acknowledge(i)) << i;
  }
}

TEST_F(Commands, WhoLeftStaysOutWhenItStartsAgain) {
  make(3);
  EXPECT_TRUE(answer(2, LeaveCommand{}).ok);
  cluster_->crash(2);
  cluster_->start(2);
  cluster_->run(3000);
  EXPECT_FALSE(cluster_->status(2).ready);
  EXPECT_NE(cluster_->status(2).reason.find("has left the cluster"), std::string::npos)
      << cluster_->status(2).reason;
  EXPECT_THAT(cluster_->node(2).log, Contains(HasSubstr("this node has left the cluster")));
  cluster_->send(2, 0, ClaimRequest{{1, 1}, "c", ""});
  cluster_->run(100);
  const auto answers = cluster_->mails<ClaimAnswer>(2);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].outcome, ClaimAnswer::Outcome::kLeft);
  EXPECT_EQ(members(0), 2);
  EXPECT_TRUE(cluster_->may_acknowledge(0));
}

TEST_F(Commands, WithoutTheDeadTheRestIsReadyAgain) {
  make(3);
  cluster_->crash(1);
  cluster_->crash(2);
  cluster_->run(3000);
  EXPECT_FALSE(cluster_->status(0).ready);
  EXPECT_TRUE(answer(0, RemoveCommand{id_of(1)}).ok);
  EXPECT_FALSE(cluster_->status(0).ready) << "one of two is no majority";
  EXPECT_TRUE(answer(0, RemoveCommand{cluster_->node(2).config.node_name}).ok);
  ASSERT_TRUE(cluster_->run_until([&] { return cluster_->status(0).ready; }, 3000));
  EXPECT_EQ(cluster_->status(0).majority, 1);
  EXPECT_EQ(members(0), 1);
}

TEST_F(Commands, ARemovedNodeThatComesBackIsToldSo) {
  make(3);
  cluster_->crash(2);
  cluster_->run(3000);
  EXPECT_TRUE(answer(0, RemoveCommand{id_of(2)}).ok);
  cluster_->run(500);
  EXPECT_EQ(members(1), 2) << "the others hear of it";
  cluster_->start(2);
  cluster_->run(3000);
  EXPECT_FALSE(cluster_->status(2).ready);
  EXPECT_EQ(members(0), 2);
  const std::string why =
      "node n3 has left the cluster: to join again it needs an empty --data-dir";
  EXPECT_THAT(cluster_->status(2).reason, StartsWith("no lease from n1, n2 (refused: " + why));
  EXPECT_THAT(cluster_->node(2).log, Contains(AllOf(StartsWith("refused by "), HasSubstr(why))));
  EXPECT_THAT(cluster_->node(0).log, Contains(AllOf(StartsWith("refused "), HasSubstr(why))));
}

// The others know it, and it has not stored it itself.
TEST_F(Commands, WhoCrashesWhileItLeavesIsToldSo) {
  make(3);
  const StoredState before = cluster_->node(2).disk;
  EXPECT_TRUE(answer(2, LeaveCommand{}).ok);
  cluster_->crash(2);
  cluster_->node(2).disk = before;
  cluster_->start(2);
  cluster_->run(3000);
  EXPECT_THAT(cluster_->status(2).reason, HasSubstr("node n3 has left the cluster"));
  EXPECT_THAT(cluster_->node(2).log, Contains(HasSubstr("node n3 has left the cluster")));
  EXPECT_FALSE(cluster_->may_acknowledge(2));
}

TEST_F(Commands, WhoSaysGoodbyeIsNotWaitedFor) {
  make(3);
  const int64_t leases_end = ClusterOptions().limits.lease.ns / 1'000'000;
  cluster_->run(3 * leases_end);
  EXPECT_TRUE(answer(2, HandOverCommand{}).ok);
  EXPECT_TRUE(cluster_->may_acknowledge(2)) << "its clients are served until they are closed";
  EXPECT_TRUE(answer(2, GoodbyeCommand{}).ok);
  EXPECT_FALSE(cluster_->may_acknowledge(2));
  const auto is_out = [&](int i) { return cluster_->member(i, 2).state == MemberState::kGivenUp; };
  EXPECT_TRUE(cluster_->run_until([&] { return is_out(0) && is_out(1); }, leases_end / 4));
  EXPECT_TRUE(cluster_->may_acknowledge(0) && cluster_->may_acknowledge(1));
  cluster_->run(2 * leases_end);
  EXPECT_TRUE(cluster_->may_acknowledge(0) && cluster_->may_acknowledge(1)) << "it lives on";
  cluster_->crash(2);
  cluster_->start(2);
  EXPECT_TRUE(cluster_->run_until([&] { return cluster_->all_ready(); }, 3000));
}

TEST_F(Commands, AGoodbyeDoesNotMakeAMinorityAMajority) {
  make(3);
  cluster_->crash(1);
  cluster_->run(3000);
  EXPECT_TRUE(answer(2, GoodbyeCommand{}).ok);
  cluster_->crash(2);
  cluster_->run(3000);
  EXPECT_FALSE(cluster_->may_acknowledge(0));
}

TEST_F(Commands, RemoveRefusesWhoIsThereAndWhoIsUnknown) {
  make(3);
  EXPECT_FALSE(answer(0, RemoveCommand{id_of(1)}).ok);
  EXPECT_FALSE(answer(0, RemoveCommand{id_of(0)}).ok);
  EXPECT_FALSE(answer(0, RemoveCommand{"nobody"}).ok);
  EXPECT_EQ(members(0), 3);
}

}  // namespace
}  // namespace shoal
