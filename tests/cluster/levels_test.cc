// Nodes of different versions: the cluster's level, and who is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/core/members.h"
#include "proto/shoal/hub.pb.h"
#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr int64_t kSoon = 5000;

// Nodes that speak so much, started.
class Versions : public HubCluster {
 public:
  explicit Versions(const std::vector<uint32_t>& speak)
      : HubCluster({.nodes = static_cast<int>(speak.size()), .start = false}) {
    for (int i = 0; i < size(); ++i) {
      node(i).config.protocol_max = speak[static_cast<size_t>(i)];
      start(i);
    }
  }

  bool become_ready() {
    return run_until([this] { return all_ready(); }, 2 * kSoon);
  }
  // Ends it, and starts it with another version.
  void restart(int index, uint32_t speaks) {
    if (node(index).hub) crash(index);
    node(index).config.protocol_max = speaks;
    start(index);
  }
  uint32_t level(int index) const { return status(index).level; }
  bool are_at(uint32_t wanted) {
    return run_until(
        [&] {
          for (int i = 0; i < size(); ++i) {
            if (level(i) != wanted) return false;
          }
          return true;
        },
        kSoon);
  }
};

TEST(Levels, AClusterIsFoundedAtWhatAllOfItSpeak) {
  const struct {
    std::vector<uint32_t> speak;
    uint32_t level;
  } rows[] = {{{2, 2, 2}, 2}, {{1, 2, 2}, 1}, {{2, 2, 1}, 1}, {{1, 1, 1}, 1}, {{2}, 2}, {{1}, 1}};
  for (const auto& row : rows) {
    Versions cluster(row.speak);
    ASSERT_TRUE(cluster.become_ready());
    cluster.run(kSoon);
    for (int i = 0; i < cluster.size(); ++i) {
      EXPECT_EQ(cluster.level(i), row.level) << testing::PrintToString(row.speak);
      EXPECT_EQ(cluster.node(i).disk.level, row.level);
    }
  }
}

TEST(Levels, ItRisesWhenTheLastMemberIsUpgraded) {
  Versions cluster({1, 1, 1});
  ASSERT_TRUE(cluster.become_ready());
  for (const int index : {2, 0, 1}) {
    cluster.run(kSoon);
    EXPECT_TRUE(cluster.are_at(1));
    cluster.restart(index, 2);
    ASSERT_TRUE(cluster.become_ready());
  }
  ASSERT_TRUE(cluster.are_at(2));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.node(i).disk.level, 2u);
    EXPECT_EQ(cluster.member(i, 0).speaks, 2u);
    EXPECT_THAT(cluster.node(i).log, Contains(HasSubstr("the cluster is at protocol 2 now")));
  }
  cluster.restart(1, 2);
  EXPECT_EQ(cluster.level(1), 2u) << "from its disk";
}

TEST(Levels, AMemberThatIsAwayCountsWithWhatItSpoke) {
  Versions cluster({2, 2, 1});
  ASSERT_TRUE(cluster.become_ready());
  cluster.crash(2);
  cluster.run(4 * kSoon);
  for (const int index : {0, 1}) {
    EXPECT_EQ(cluster.member(index, 2).state, MemberState::kGivenUp);
    EXPECT_EQ(cluster.level(index), 1u);
    cluster.restart(index, 2);
    cluster.run(kSoon);
    EXPECT_EQ(cluster.level(index), 1u) << "after a start";
  }
  cluster.restart(2, 1);
  ASSERT_TRUE(cluster.become_ready());
  cluster.restart(2, 2);
  EXPECT_TRUE(cluster.are_at(2));
}

TEST(Levels, WhoIsCutOffFollowsLater) {
  Versions cluster({2, 2, 1});
  ASSERT_TRUE(cluster.become_ready());
  cluster.cut_both(0, 1);
  cluster.cut_both(0, 2);
  cluster.restart(2, 2);
  cluster.run(4 * kSoon);
  EXPECT_EQ(cluster.level(0), 1u);
  EXPECT_EQ(cluster.level(1), 2u);
  EXPECT_EQ(cluster.level(2), 2u);
  cluster.heal();
  EXPECT_TRUE(cluster.are_at(2));
}

TEST(Levels, ANewcomerOfTheVersionBeforeIsRefusedAndTold) {
  Versions cluster({2, 2});
  ASSERT_TRUE(cluster.become_ready());
  ASSERT_TRUE(cluster.are_at(2));
  HubConfig config = cluster.node(0).config;
  config.node_name = "late";
  config.advertise = "10.0.0.9:7883";
  config.protocol_max = 1;
  const int late = cluster.add_node(config);
  cluster.start(late);
  cluster.run(kSoon);
  const char* const why =
      "the cluster is at protocol 2, node late speaks 1 to 1: it needs a later version";
  EXPECT_THAT(cluster.node(0).log, Contains(HasSubstr(why)));
  EXPECT_THAT(cluster.node(late).log, Contains(HasSubstr("cannot be with")));
  EXPECT_THAT(cluster.node(late).log, Contains(HasSubstr(why)));
  EXPECT_THAT(cluster.status(late).reason, HasSubstr(why));
  EXPECT_TRUE(cluster.status(0).ready);
  cluster.restart(late, 2);
  EXPECT_TRUE(cluster.become_ready());
}

// It was upgraded, and away when the level rose; then somebody started the old program again.
TEST(Levels, AMemberThatComesBackOlderIsRefusedAndTold) {
  Versions cluster({1, 1, 1});
  ASSERT_TRUE(cluster.become_ready());
  cluster.restart(2, 2);
  ASSERT_TRUE(cluster.become_ready());
  cluster.run(1000);
  cluster.crash(2);
  for (const int index : {0, 1}) cluster.restart(index, 2);
  ASSERT_TRUE(
      cluster.run_until([&] { return cluster.level(0) == 2 && cluster.level(1) == 2; }, 4 * kSoon));
  cluster.restart(2, 1);
  cluster.run(kSoon);
  const char* const why =
      "the cluster is at protocol 2, node n3 speaks 1 to 1: it needs a later version";
  EXPECT_THAT(cluster.node(0).log, Contains(HasSubstr(why)));
  EXPECT_THAT(cluster.node(2).log, Contains(HasSubstr(why)));
  EXPECT_EQ(cluster.status(2).reason, why);
  EXPECT_FALSE(cluster.may_acknowledge(2));
  EXPECT_TRUE(cluster.may_acknowledge(0));
  cluster.restart(2, 2);
  ASSERT_TRUE(cluster.become_ready());
  EXPECT_TRUE(cluster.are_at(2));
}

// The level rises just when a member has come back with the old program: those that were with it leave it.
TEST(Levels, ALinkToWhoSpeaksLessEndsWhenItRises) {
  Versions cluster({2, 2, 1});
  ASSERT_TRUE(cluster.become_ready());
  cluster.crash(0);
  cluster.node(0).disk.level = 2;  // as if it had raised it a moment before
  cluster.start(0);
  cluster.run(4 * kSoon);
  EXPECT_EQ(cluster.level(1), 2u);
  EXPECT_EQ(cluster.level(2), 1u);
  const char* const why =
      "the cluster is at protocol 2, node n3 speaks 1 to 1: it needs a later version";
  EXPECT_THAT(cluster.node(1).log, Contains(HasSubstr(why)));
  EXPECT_THAT(cluster.node(2).log, Contains(HasSubstr(why)));
  EXPECT_TRUE(cluster.may_acknowledge(0));
  EXPECT_FALSE(cluster.may_acknowledge(2));
  cluster.restart(2, 2);
  EXPECT_TRUE(cluster.become_ready());
}

// ---- the table ----------------------------------------------------------------------------------

StoredMember speaks(uint64_t incarnation, uint32_t version) {
  return {.id = NodeId{1}, .life = {incarnation, 0}, .speaks = version};
}

TEST(Members, TheNewestLifeSaysWhatIsSpoken) {
  const struct {
    const char* what;
    std::vector<StoredMember> heard;
    uint32_t speaks;
  } rows[] = {
      {"nobody has said", {speaks(1, 0)}, 0},
      {"a peer that does not know comes later", {speaks(3, 2), speaks(3, 0)}, 2},
      {"and before", {speaks(3, 0), speaks(3, 2)}, 2},
      {"of an earlier life", {speaks(3, 1), speaks(2, 2)}, 1},
      {"older in a new life", {speaks(3, 2), speaks(4, 1)}, 1},
      {"a new life of which only the start is known", {speaks(3, 2), speaks(4, 0)}, 0},
  };
  for (const auto& row : rows) {
    Members members({});
    for (const StoredMember& each : row.heard) members.merge(each);
    EXPECT_EQ(members.find(NodeId{1})->speaks, row.speaks) << row.what;
    EXPECT_EQ(members.all_speak(), std::max(row.speaks, 1u)) << row.what;
  }
}

TEST(Members, OfANodeOfTheFirstVersionNobodyHearsMore) {
  Members members({speaks(3, 2)});
  proto::Members message;
  members.to_message(message, 1);
  EXPECT_EQ(message.members(0).speaks(), 0u);
  members.to_message(message, 2);
  EXPECT_EQ(message.members(1).speaks(), 2u);
}

TEST(Members, WhoHasLeftDoesNotCount) {
  StoredMember gone = speaks(3, 1);
  gone.left = true;
  Members members({gone, {.id = NodeId{2}, .life = {1, 0}, .speaks = 2}});
  EXPECT_EQ(members.all_speak(), 2u);
}

}  // namespace
}  // namespace shoal
