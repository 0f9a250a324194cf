#include "cluster/core/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "cluster/core/node_list.h"
#include "cluster/core/placement_targets.h"
#include "shoal/random.h"

namespace shoal {
namespace {

using Kind = PlacementStep::Kind;
using raft::Role;

struct PlacementRow {
  std::vector<raft::Server> servers;
  std::vector<uint64_t> nodes;
  std::vector<uint64_t> here;
  std::vector<uint64_t> wanted = {};
  uint64_t missing = 0;
  uint64_t leader = 1;
  bool may_found_anew = true;
};

std::vector<NodeId> ids(const std::vector<uint64_t>& values) {
  std::vector<NodeId> ids;
  for (const uint64_t each : values) ids.push_back(NodeId{each});
  return ids;
}

template <typename Decide>
auto decided(const PlacementRow& row, Decide decide) {
  raft::Configuration servers{row.servers};
  std::sort(servers.servers.begin(), servers.servers.end());
  const std::vector<NodeId> nodes = ids(row.nodes), here = ids(row.here), wanted = ids(row.wanted);
  return decide({.shard = 1,
                 .leader = NodeId{row.leader},
                 .servers = &servers,
                 .nodes = nodes,
                 .here = here,
                 .wanted = wanted,
                 .may_found_anew = row.may_found_anew,
                 .missing = [&row](NodeId) { return row.missing; }});
}

// A step that waits for its turn is one "later".
std::string next(const PlacementRow& row) {
  const auto step = decided(row, [](const PlacementView& view) { return next_step(view); });
  if (!step) return "none";
  const char* const kinds[] = {"add ", "promote ", "remove ", "hand over to ", "found anew with "};
  return kinds[static_cast<int>(step->kind)] + std::to_string(step->server.value) +
         (step->waits_for_turn ? " later" : "");
}

std::vector<raft::Server> voters(std::initializer_list<uint64_t> ids) {
  std::vector<raft::Server> servers;
  for (const uint64_t id : ids) servers.push_back({NodeId{id}, Role::kVoter});
  return servers;
}

std::vector<raft::Server> with_learner(std::vector<raft::Server> servers, uint64_t id) {
  servers.push_back({NodeId{id}, Role::kLearner});
  return servers;
}

TEST(Placement, AllIsAsItShouldBe) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3}, {1, 2, 3}, {1, 2, 3}}), "none");
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3}}), "none");
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 3, 4}}), "none");  // not known where
  // One that is away for a while is waited for.
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 4}, {1, 2, 3}}), "none");
}

TEST(Placement, OneThatIsGoneIsReplaced) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2}, {1, 2}}), "none");  // by whom?
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 4}, {1, 2}, {1, 2, 4}}), "none");
  for (const std::vector<uint64_t>& wanted : {std::vector<uint64_t>{}, {1, 2, 4}}) {
    EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 4}, {1, 2, 4}, wanted}), "add 4");
    const auto joining = with_learner(voters({1, 2, 3}), 4);
    EXPECT_EQ(next({joining, {1, 2, 4}, {1, 2, 4}, wanted, 5000}), "none");
    EXPECT_EQ(next({joining, {1, 2, 4}, {1, 2, 4}, wanted, 10}), "promote 4");
    EXPECT_EQ(next({joining, {1, 2, 4}, {1, 2}, wanted, 10}), "none");
    EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 4}, {1, 2, 4}, wanted}), "remove 3");
    EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 4}, {1, 4}, wanted}), "remove 3");
    EXPECT_EQ(next({voters({1, 2, 4}), {1, 2, 4}, {1, 2, 4}, wanted}), "none");
  }
}

// Whoever should have it is away: another gets it meanwhile.
TEST(Placement, ARepairDoesNotWait) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 4, 5}, {1, 2, 5}, {1, 2, 4}}), "add 5");
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 5), {1, 2, 4, 5}, {1, 2, 5}, {1, 2, 4}}),
            "promote 5");
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 4, 5}, {1, 2, 4, 5}, {1, 2, 4}}), "add 4");
}

TEST(Placement, ALearnerThatIsNotWantedGoes) {
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 3}, {1, 2, 3}}), "remove 4");
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3}}),
            "remove 4");
}

TEST(Placement, ReplicasMoveWhenEveryNodeIsThere) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 3, 4}}), "add 4 later");
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 3, 4}, {1, 3, 4}}), "none");
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 3, 4}}),
            "promote 4");
  EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 3, 4}}), "remove 2");
  EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 3, 4}, {1, 2, 3}, {1, 3, 4}}), "none");
}

TEST(Placement, ALeaderThatIsToGoLetsAnotherRemoveIt) {
  const auto four = voters({1, 2, 3, 4});
  EXPECT_EQ(next({four, {1, 2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}}).substr(0, 12), "hand over to");
  EXPECT_EQ(next({four, {1, 2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}, 0, 3}), "remove 1");
  EXPECT_EQ(next({four, {1, 2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}, 5000}), "none");
  EXPECT_EQ(next({four, {2, 3, 4}, {1, 2, 3, 4}}).substr(0, 12), "hand over to");
}

// Node 1 leads, 5 is away.
TEST(Placement, OneThatLeavesGoesWhileAnotherIsAway) {
  EXPECT_EQ(next({voters({1, 2, 5}), {1, 3, 5}, {1, 2, 3}, {1, 3, 5}}), "add 3");
  const auto joining = with_learner(voters({1, 2, 5}), 3);
  EXPECT_EQ(next({joining, {1, 3, 5}, {1, 2, 3}, {1, 3, 5}, 5000}), "none");
  EXPECT_EQ(next({joining, {1, 3, 5}, {1, 2, 3}, {1, 3, 5}}), "promote 3");
  const auto four = voters({1, 2, 3, 5});
  EXPECT_EQ(next({four, {1, 3, 5}, {1, 2, 3}, {1, 3, 5}}), "remove 2");
  EXPECT_EQ(next({four, {1, 3, 5}, {1, 2, 3}, {1, 3, 5}, 5000}), "none");
  EXPECT_EQ(next({four, {1, 3, 5}, {1, 2}, {1, 3, 5}}), "none");  // 1 would be alone of three
  EXPECT_EQ(next({voters({1, 3, 5}), {1, 3, 5}, {1, 2, 3}, {1, 3, 5}}), "none");
  // The leader leaves: who leads next is here.
  EXPECT_EQ(next({four, {2, 3, 5}, {1, 2, 3}, {2, 5, 6}}), "hand over to 2");
  EXPECT_EQ(next({four, {2, 3, 5}, {1, 2}}), "none");
  EXPECT_EQ(next({four, {2, 3, 5}, {1, 2, 3}, {2, 3, 5}, 5000}), "none");
  // All that stay are missed, or none: as before.
  EXPECT_EQ(next({voters({1, 2, 5}), {1, 5}, {1, 2}}), "none");
  EXPECT_EQ(next({four, {1, 3, 5}, {1, 2, 3, 5}, {1, 3, 5}}), "remove 2");
}

TEST(Placement, WhoLeavesDoesNotWaitForALearnerThatIsAway) {
  const auto joining = with_learner(voters({1, 2, 3}), 5);
  EXPECT_EQ(next({joining, {1, 3, 4, 5}, {1, 2, 3, 4}}), "remove 5");
  EXPECT_EQ(next({joining, {1, 3, 5}, {1, 2, 3}}), "none");           // by whom?
  EXPECT_EQ(next({joining, {1, 2, 3, 4, 5}, {1, 2, 3, 4}}), "none");  // nobody leaves
  EXPECT_EQ(next({joining, {1, 3, 4, 5}, {1, 2, 3, 4, 5}}), "promote 5");
}

// Of node 1.
TEST(Placement, WhatBecomesOfAReplicaWhoseNodeLeaves) {
  const auto of = [](const PlacementRow& row) {
    const char* const names[] = {"none", "moves", "open", "held"};
    return names[static_cast<int>(
        decided(row, [](const PlacementView& view) { return departure_of(NodeId{1}, view); }))];
  };
  const auto three = voters({1, 2, 3});
  EXPECT_STREQ(of({voters({2, 3, 4}), {2, 3, 4}, {1, 2, 3, 4}}), "none");
  EXPECT_STREQ(of({with_learner(voters({2, 3, 4}), 1), {2, 3, 4}, {1, 2}}), "moves");
  EXPECT_STREQ(of({three, {2, 3, 4}, {1, 2, 3, 4}}), "moves");
  EXPECT_STREQ(of({three, {2, 3, 4}, {1, 2, 4}}), "moves");  // 3 is away
  EXPECT_STREQ(of({with_learner(three, 4), {2, 3, 4}, {1, 2, 4}}), "moves");
  EXPECT_STREQ(of({voters({1, 2, 3, 4}), {2, 3, 4}, {1, 2, 4}}), "moves");
  EXPECT_STREQ(of({three, {2, 3}, {1, 2, 3}}), "open");
  EXPECT_STREQ(of({three, {2, 3, 4}, {1, 2, 3}}), "open");                   // 4 is away
  EXPECT_STREQ(of({with_learner(three, 4), {2, 3, 4}, {1, 2, 3}}), "open");  // likewise
  EXPECT_STREQ(of({three, {2, 3}, {1, 2}}), "held");
  EXPECT_STREQ(of({three, {2}, {1, 2, 3}}), "held");  // 3 leaves too, or has left
  EXPECT_STREQ(of({three, {2, 3, 4}, {1, 4}}), "held") << "nothing can change";
  EXPECT_STREQ(of({voters({1, 2, 3, 4}), {2, 3, 4}, {1, 2}}), "held");
  EXPECT_STREQ(of({voters({1, 2, 3, 4, 5}), {2, 3, 4, 5}, {1, 2, 3, 4}}), "open");
  EXPECT_STREQ(of({voters({1, 2, 3, 4, 5}), {2, 3, 4, 5}, {1, 2, 3}}), "held");
  EXPECT_STREQ(of({voters({1, 2, 3, 4, 5}), {2, 3, 4, 5, 6}, {1, 2, 3, 6}}), "moves");
  // Who is not wanted takes none where all are there.
  EXPECT_STREQ(of({voters({1, 2, 3, 4, 5}), {2, 3, 4, 6}, {1, 2, 3, 4, 6}, {2, 3, 4}}), "open");
  EXPECT_STREQ(of({voters({1}), {2, 3}, {1, 2, 3}}), "moves");
  EXPECT_STREQ(of({voters({1}), {2, 3}, {1, 2}}), "held");
  EXPECT_STREQ(of({voters({1}), {2, 3}, {1, 2, 3}, {}, 0, 1, false}), "held");
}

TEST(Placement, WhoLeavesAtOnceLeavesAMajority) {
  const auto leaves = [](const PlacementRow& row) {
    return decided(row, [](const PlacementView& view) { return leaves_majority(NodeId{1}, view); });
  };
  EXPECT_TRUE(leaves({voters({2, 3, 4}), {2, 3, 4}, {1, 2}}));
  EXPECT_TRUE(leaves({with_learner(voters({2, 3, 4}), 1), {2, 3, 4}, {1, 2}}));
  EXPECT_TRUE(leaves({voters({1, 2, 3}), {2, 3, 4}, {1, 2, 3}}));
  EXPECT_FALSE(leaves({voters({1, 2, 3}), {2, 3, 4}, {1, 2, 4}}));
  EXPECT_FALSE(leaves({voters({1, 2, 3}), {2, 4}, {1, 2, 3, 4}}));
  EXPECT_FALSE(leaves({voters({1, 2, 3, 4}), {2, 3, 4}, {1, 2, 3}}));
  EXPECT_FALSE(leaves({voters({1}), {2, 3}, {1, 2, 3}}));
}

TEST(Placement, MoreAreWanted) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3}}), "none");
  const std::string first =
      next({voters({1, 2, 3}), {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}});
  EXPECT_TRUE(first == "add 4 later" || first == "add 5 later") << first;
  // Four bear no more than three.
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4, 5}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}}), "none");
  EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}}),
            "add 5");
}

TEST(Placement, NoneGetsFewerBecauseNodesAreMissing) {
  EXPECT_EQ(next({voters({1, 2, 3, 4, 5}), {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3}}), "none");
  EXPECT_EQ(next({voters({1, 2, 3, 4, 5}), {1, 2, 3}, {1, 2, 3}, {1, 2, 3}}), "none");
  // But one that is gone and cannot be replaced does not cost a majority.
  EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 3, 6}, {1, 2, 3}, {1, 2, 3, 6, 7}}), "remove 4");
}

TEST(Placement, FewerThanThreeVotersStay) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1}, {1, 2, 3}, {1}}), "none");
  EXPECT_EQ(next({voters({1, 2}), {1, 2, 3}, {1, 2, 3}, {1, 2, 3}}), "none");
}

TEST(Placement, ALoneVoterFoundsAnewWithTwoOthers) {
  const auto alone = voters({1});
  EXPECT_EQ(next({alone, {1, 2}, {1, 2}, {1}}), "none");
  EXPECT_EQ(next({alone, {1, 2}, {1, 2}, {2}}), "none");
  EXPECT_EQ(next({alone, {1, 2, 3}, {1, 2}, {1, 2, 3}}), "none");  // for two there is nobody
  EXPECT_EQ(next({alone, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, 0, 1, false}), "none");
  for (const std::vector<uint64_t>& wanted : {std::vector<uint64_t>{}, {1, 2, 3}}) {
    const std::string first = next({alone, {1, 2, 3}, {1, 2, 3}, wanted});
    EXPECT_TRUE(first == "add 2 later" || first == "add 3 later") << first;
    const auto two = with_learner(alone, 2);
    EXPECT_EQ(next({two, {1, 2, 3}, {1, 2, 3}, wanted, 5000}), "add 3");
    EXPECT_EQ(next({two, {1, 2, 3}, {1, 2}, wanted}), "none");
    const auto three = with_learner(two, 3);
    EXPECT_EQ(next({three, {1, 2, 3}, {1, 2, 3}, wanted, 5000}), "none");
    EXPECT_EQ(next({three, {1, 2, 3}, {1, 2, 3}, wanted, 10}), "found anew with 2");
    EXPECT_EQ(next({three, {1, 2, 3}, {1, 3}, wanted, 10}), "none");
  }
}

TEST(Placement, ALoneVotersLearnerThatIsMissedIsAnother) {
  const auto three = with_learner(with_learner(voters({1}), 2), 3);
  EXPECT_EQ(next({three, {1, 2, 3, 4}, {1, 2, 4}, {1, 2, 3}}), "remove 3");
  EXPECT_EQ(next({with_learner(voters({1}), 2), {1, 2, 3, 4}, {1, 2, 4}, {1, 2, 3}}), "add 4");
  EXPECT_EQ(next({three, {1, 2, 4}, {1, 2, 4}}), "remove 3");  // it left
  // Its own node is to have none, or leaves: first there are three.
  EXPECT_EQ(next({three, {1, 2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}, 10}), "found anew with 2");
  EXPECT_EQ(next({three, {2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}, 10}), "found anew with 2");
  EXPECT_EQ(next({three, {1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 4}, 10}), "remove 3");
}

// As Raft would.
void take(const PlacementStep& step, raft::Configuration& servers, NodeId& leader) {
  auto& list = servers.servers;
  const auto at = std::find_if(list.begin(), list.end(),
                               [&](const raft::Server& each) { return each.id == step.server; });
  switch (step.kind) {
    case Kind::kAdd:
      ASSERT_TRUE(at == list.end());
      list.push_back({step.server, Role::kLearner});
      std::sort(list.begin(), list.end());
      break;
    case Kind::kPromote:
      ASSERT_TRUE(at != list.end() && at->role == Role::kLearner);
      ASSERT_GE(servers.voters(), 3u);
      at->role = Role::kVoter;
      break;
    case Kind::kRemove:
      ASSERT_TRUE(at != list.end() && step.server != leader);
      list.erase(at);
      break;
    case Kind::kHandOver:
      ASSERT_TRUE(at != list.end() && at->role == Role::kVoter);
      leader = step.server;
      break;
    case Kind::kFoundAnew:
      ASSERT_EQ(servers.voters(), 1u);
      ASSERT_EQ(list.size(), 3u);
      for (raft::Server& each : list) each.role = Role::kVoter;
      break;
  }
}

// From any placement, with leaders and nodes that come and go, every group ends with the wanted voters, by
// steps that Raft allows, and never with fewer voters than it needs.
TEST(Placement, EveryGroupEndsWhereItShouldBe) {
  Random random(7);
  for (int run = 0; run < 500; ++run) {
    const size_t count = 4 + random.below(5);
    std::vector<TargetNode> nodes;
    std::vector<NodeId> all;
    for (size_t i = 0; i < count; ++i) {
      nodes.push_back({NodeId{i + 1}, static_cast<uint32_t>(1 + random.below(3)), ""});
      all.push_back(NodeId{i + 1});
    }
    const uint32_t replicas = random.one_in(3) ? 5 : 3;
    const std::vector<NodeId> wanted = targets(nodes, 1, replicas)[0];
    raft::Configuration servers;
    const size_t first = random.one_in(3) ? 1 : 3;
    while (servers.servers.size() < first) {
      const NodeId id = all[random.below(all.size())];
      if (servers.find(id) != nullptr) continue;
      servers.servers.push_back({id, Role::kVoter});
      std::sort(servers.servers.begin(), servers.servers.end());
    }
    NodeId leader = servers.servers[random.below(first)].id;
    size_t least = first;
    for (int step = 0;; ++step) {
      ASSERT_LT(step, 200) << "it never ends";
      std::vector<NodeId> here = all;
      if (step < 30 && random.one_in(3)) {
        std::erase_if(here, [&](NodeId id) { return id != leader && random.one_in(4); });
      }
      const auto next = next_step({.shard = 0,
                                   .leader = leader,
                                   .servers = &servers,
                                   .nodes = all,
                                   .here = here,
                                   .wanted = wanted,
                                   .missing = [&](NodeId) { return random.below(2000); }});
      if (!next) {
        if (here.size() < all.size() || is_moving(servers)) continue;
        break;
      }
      take(*next, servers, leader);
      ASSERT_FALSE(testing::Test::HasFatalFailure());
      if (next->kind == Kind::kFoundAnew) least = 3;
      ASSERT_GE(servers.voters(), least);
    }
    std::vector<NodeId> ended;
    for (const raft::Server& each : servers.servers) ended.push_back(each.id);
    ASSERT_EQ(ended, wanted);
  }
}

// One leaves and another is away for good: whatever the leader does, a majority of the voters is there, and
// in the end the leaving one has no replica, or nobody is there that could take it.
TEST(Placement, ALeavingNodeIsFreeWhileAnotherIsAway) {
  Random random(11);
  int moved = 0;
  for (int run = 0; run < 2000; ++run) {
    const size_t count = 3 + random.below(5);
    const NodeId leaving{1};
    const NodeId away{2};
    std::vector<NodeId> all, nodes, here;
    for (size_t i = 1; i <= count; ++i) {
      all.push_back(NodeId{i});
      if (all.back() != leaving) nodes.push_back(all.back());
      if (all.back() != away) here.push_back(all.back());
    }
    raft::Configuration servers{voters({1})};
    const size_t first = count >= 5 && random.one_in(3) ? 5 : 3;
    while (servers.servers.size() < first) {
      const NodeId id = all[random.below(count)];
      if (servers.find(id) != nullptr) continue;
      servers.servers.push_back({id, Role::kVoter});
      std::sort(servers.servers.begin(), servers.servers.end());
    }
    NodeId leader;
    while (!contains(here, leader)) leader = servers.servers[random.below(first)].id;
    const auto view = [&] {
      return PlacementView{.leader = leader,
                           .servers = &servers,
                           .nodes = nodes,
                           .here = here,
                           .wanted = {},
                           .missing = [&](NodeId) { return random.below(2000); }};
    };
    const auto is_there = [&](const raft::Server& each) {
      return each.role == Role::kVoter && contains(here, each.id);
    };
    for (int step = 0; step < 100; ++step) {
      const auto next = next_step(view());
      if (!next) continue;
      take(*next, servers, leader);
      ASSERT_FALSE(testing::Test::HasFatalFailure());
      const auto there = std::count_if(servers.servers.begin(), servers.servers.end(), is_there);
      ASSERT_GT(static_cast<size_t>(there) * 2, servers.voters());
      ASSERT_GE(servers.voters(), first);
    }
    const Departure end = departure_of(leaving, view());
    const bool is_anybody_free = std::any_of(here.begin(), here.end(), [&](NodeId id) {
      return id != leaving && servers.find(id) == nullptr;
    });
    if (end != Departure::kNone) ASSERT_FALSE(is_anybody_free);
    ASSERT_NE(end, Departure::kMoves);
    moved += end == Departure::kNone ? 1 : 0;
  }
  EXPECT_GT(moved, 500);
}

}  // namespace
}  // namespace shoal
