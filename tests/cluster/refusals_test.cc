// Who is refused: both sides say why, once, and the one that is not wanted says it where it is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

int refusals(const HubNode& node, const std::string& why) {
  int count = 0;
  for (const std::string& line : node.log) {
    count += line.starts_with("refused ") && line.find(why) != std::string::npos ? 1 : 0;
  }
  return count;
}

// `one` refused, and `other` was told; each says so once, however often it was tried.
void expect_refused(HubCluster& cluster, int one, int other, const std::string& why) {
  EXPECT_THAT(cluster.node(one).log, Contains(AllOf(StartsWith("refused "), HasSubstr(why))));
  EXPECT_THAT(cluster.node(other).log, Contains(AllOf(StartsWith("refused by "), HasSubstr(why))));
  for (const int index : {one, other}) EXPECT_EQ(refusals(cluster.node(index), why), 1) << index;
}

TEST(Refusals, AMemberOfAnotherCluster) {
  HubCluster cluster({.nodes = 2, .expect = 1, .start = false});
  for (int i = 0; i < 2; ++i) {
    cluster.node(i).config.join = {};
    cluster.start(i);
  }
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  cluster.crash(1);
  cluster.node(1).config.join = {"10.0.0.1:7883"};
  cluster.start(1);
  cluster.run(5000);
  expect_refused(cluster, 0, 1, "node n2 is in cluster ");
  EXPECT_THAT(cluster.node(1).log, Contains(HasSubstr(", node n1 in cluster ")));
  EXPECT_TRUE(cluster.status(0).ready);
  EXPECT_TRUE(cluster.status(1).ready) << "each goes on by itself";
}

TEST(Refusals, AProtocolThatIsNotSpoken) {
  HubCluster cluster({.nodes = 2});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  HubConfig config = cluster.node(0).config;
  config.node_name = "late";
  config.advertise = "10.0.0.9:7883";
  config.protocol_min = config.protocol_max = kProtocolMax + 1;
  const int late = cluster.add_node(config);
  cluster.start(late);
  cluster.run(5000);
  // Each may be the first to refuse; then it does not hear the other.
  const std::string later = std::to_string(kProtocolMax + 1);
  for (const int index : {0, late}) {
    EXPECT_THAT(cluster.node(index).log,
                Contains(AllOf(StartsWith("refused "), HasSubstr("node n1"), HasSubstr("node late"),
                               HasSubstr(later + " to " + later))));
  }
  EXPECT_FALSE(cluster.status(late).ready);
  EXPECT_TRUE(cluster.status(0).ready);
}

// A node elsewhere with the data directory of the third.
int add_copy(HubCluster& cluster) {
  HubConfig config = cluster.node(2).config;
  config.advertise = "10.0.0.9:7883";
  const int copy = cluster.add_node(config);
  cluster.node(copy).disk = cluster.node(2).disk;
  return copy;
}

TEST(Refusals, OneIdentityTwice) {
  HubCluster cluster({.nodes = 3});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  const int copy = add_copy(cluster);
  cluster.node(copy).disk.incarnation -= 1;  // the start adds it
  cluster.start(copy);
  cluster.run(5000);
  EXPECT_THAT(cluster.node(0).log,
              Contains(AllOf(StartsWith("refused "),
                             HasSubstr("two processes have the identity of node n3"))));
  expect_refused(cluster, 0, copy, "two processes have the identity of node n3");
  EXPECT_THAT(cluster.status(copy).reason, HasSubstr("two processes have the identity"));
  EXPECT_TRUE(cluster.may_acknowledge(2)) << "the one that was there first";
}

TEST(Refusals, AnEarlierStart) {
  HubCluster cluster({.nodes = 3});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  const int copy = add_copy(cluster);
  cluster.start(copy);
  cluster.run(5000);
  const std::string why =
      "an earlier start of node n3: its data directory was started again since, here "
      "or as a copy";
  EXPECT_THAT(cluster.node(2).log, Contains(AllOf(StartsWith("refused by "), HasSubstr(why))));
  EXPECT_THAT(cluster.status(2).reason, HasSubstr(why));
}

TEST(Refusals, ASeedThatLeadsToTheNodeItselfIsNoRefusal) {
  HubCluster cluster({.nodes = 1, .expect = 2, .start = false});
  cluster.node(0).config.join = {"10.0.0.1:7883"};
  cluster.node(0).config.advertise = "n1.example:7883";  // so it does not know its address
  cluster.start(0);
  cluster.run(5000);
  EXPECT_EQ(cluster.status(0).reason, "no cluster yet: 1 of 2 nodes have met");
  EXPECT_THAT(cluster.node(0).log, Each(Not(HasSubstr("refused"))));
}

}  // namespace
}  // namespace shoal
