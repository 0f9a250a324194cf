// What becomes of shards whose replicas are lost.
#include "cluster/engine/recovery_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shoal::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = ShardRecovery::Kind;

const std::vector<NodeId> kThree = {{1}, {2}, {3}};

NodeReport report(uint64_t node, std::vector<HeldReplica> held, int members = 5) {
  NodeReport out{.node = {node}, .incarnation = 4, .cluster = {1, 2}, .shards = 1, .members = {}};
  for (int id = 1; id <= members; ++id) {
    out.members.push_back({.id = {static_cast<uint64_t>(id)},
                           .name = "n" + std::to_string(id),
                           .address = "there",
                           .life = {},
                           .given_up = {}});
  }
  out.held = std::move(held);
  return out;
}

HeldReplica held(raft::Term term, raft::Index last, raft::Term last_term,
                 std::vector<NodeId> voters = kThree, uint64_t incarnation = 1) {
  return {.group = {0, incarnation},
          .term = term,
          .last = last,
          .last_term = last_term,
          .applied = last,
          .voters = std::move(voters)};
}

std::vector<std::string> names_of(const std::vector<NodeReport>& reports) {
  std::vector<std::string> names;
  for (size_t i = 0; i < reports.size(); ++i) names.push_back("file" + std::to_string(i + 1));
  return names;
}

RecoveryPlan plan_of(std::vector<NodeReport> reports) {
  auto plan = plan_recovery(reports, names_of(reports));
  EXPECT_TRUE(std::holds_alternative<RecoveryPlan>(plan));
  return std::get<RecoveryPlan>(plan);
}

std::string refusal(std::vector<NodeReport> reports) {
  auto plan = plan_recovery(reports, names_of(reports));
  return std::holds_alternative<std::string>(plan) ? std::get<std::string>(plan) : "none";
}

TEST(RecoveryPlan, AMajorityThatIsLeftGoesOnAsItIs) {
  const RecoveryPlan plan = plan_of({report(1, {held(5, 90, 5)}), report(2, {held(5, 100, 5)})});
  EXPECT_EQ(plan.shards[0].kind, Kind::kWhole);
  EXPECT_THAT(plan.survivors, ElementsAre(NodeId{1}, NodeId{2}));
  EXPECT_THAT(plan.lost, ElementsAre(NodeId{3}, NodeId{4}, NodeId{5}));
}

TEST(RecoveryPlan, TheReplicaThatHasMostGoesOnAlone) {
  const std::vector<NodeId> five = {{1}, {2}, {3}, {4}, {5}};
  const struct {
    HeldReplica first;
    HeldReplica second;
    uint64_t goes_on;
  } kRows[] = {
      {held(7, 90, 5, five), held(5, 100, 5, five), 2},
      {held(7, 90, 6, five), held(5, 100, 5, five), 1},
      {held(5, 100, 5, five), held(5, 100, 5, five), 1},
      {held(9, 100, 9, five), held(5, 7, 5, five, 2), 2},
      {held(9, 0, 0, {}), held(5, 7, 5, five), 2},      // it was forgotten
      {held(5, 7, 5, {{3}}), held(5, 8, 5, {{3}}), 2},  // learners of a lone voter
  };
  for (const auto& row : kRows) {
    for (const bool turned : {false, true}) {
      std::vector<NodeReport> reports = {report(1, {row.first}), report(2, {row.second})};
      if (turned) std::swap(reports[0], reports[1]);
      const RecoveryPlan plan = plan_of(reports);
      EXPECT_EQ(plan.shards[0].kind, Kind::kAlone);
      EXPECT_EQ(plan.shards[0].node.value, row.goes_on);
      EXPECT_EQ(plan.shards[0].term, std::max(row.first.term, row.second.term) + 1);
      EXPECT_EQ(plan.incarnation,
                std::max(row.first.group.incarnation, row.second.group.incarnation) + 1);
    }
  }
}

TEST(RecoveryPlan, OfOldIncarnationsNoneCountsForTheMajority) {
  const RecoveryPlan plan = plan_of(
      {report(1, {held(5, 90, 5, {{2}, {3}, {4}}, 2)}), report(2, {held(5, 100, 5, kThree, 1)})});
  EXPECT_EQ(plan.shards[0].kind, Kind::kAlone);
  EXPECT_EQ(plan.shards[0].node, NodeId{1});
}

TEST(RecoveryPlan, WithoutAReplicaAShardBeginsEmpty) {
  const RecoveryPlan plan = plan_of({report(5, {}), report(4, {held(6, 0, 0, {})})});
  EXPECT_EQ(plan.shards[0].kind, Kind::kFounded);
  EXPECT_EQ(plan.shards[0].node, NodeId{4});
  EXPECT_EQ(plan.shards[0].term, 7u);
}

TEST(RecoveryPlan, WhoLeftIsNotLost) {
  NodeReport first = report(1, {held(5, 90, 5)});
  first.members[3].left = true;
  const RecoveryPlan plan = plan_of({first, report(2, {held(5, 90, 5)})});
  EXPECT_THAT(plan.lost, ElementsAre(NodeId{3}, NodeId{5}));
}

TEST(RecoveryPlan, WrongReportsAreRefusedByName) {
  NodeReport other = report(2, {});
  other.cluster = {1, 3};
  EXPECT_THAT(refusal({report(1, {}), other}), HasSubstr("file2: is of another cluster"));
  EXPECT_THAT(refusal({report(1, {}), report(1, {})}),
              HasSubstr("file2: is of the same node as file1"));
  EXPECT_THAT(refusal({report(1, {}), report(9, {})}), HasSubstr("file2: its node is no member"));
  NodeReport removed = report(1, {});
  removed.members[1].left = true;
  EXPECT_THAT(refusal({removed, report(2, {})}),
              HasSubstr("file2: its node has left the cluster, as file1 says"));
}

}  // namespace
}  // namespace shoal::engine
