// What is promised while nodes crash, freeze and are cut off: who may acknowledge, who is waited
// for, who closes its clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

class Faults : public testing::Test {
 protected:
  void make(ClusterOptions options) {
    cluster_ = std::make_unique<HubCluster>(options);
    ASSERT_TRUE(cluster_->run_until([&] { return cluster_->all_ready(); }, 3000)) << reasons();
  }
  HubCluster& cluster() { return *cluster_; }
  std::string reasons() {
    std::string all;
    for (int i = 0; i < cluster_->size(); ++i) {
      if (cluster_->node(i).hub)
        all += cluster_->node(i).config.node_name + ": " + cluster_->status(i).reason + "; ";
    }
    return all;
  }
  bool settles(int64_t ms) {
    return cluster_->run_until([&] { return cluster_->all_ready() && cluster_->routes_equal(); },
                               ms);
  }

  std::unique_ptr<HubCluster> cluster_;
};

TEST_F(Faults, AResetWithinTheLeaseLosesDoublesAndReordersNothing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    make({.nodes = 2, .workers = 1, .seed = seed});
    for (int i = 0; i < 300; ++i) {
      cluster().forward(0, 0, 1, 1, std::to_string(i));
      if (i % 50 == 25) cluster().reset_links(0, 1);
      cluster().run(1);
    }
    ASSERT_TRUE(cluster().run_until([&] { return cluster().node(1).got.size() >= 300; }, 3000));
    cluster().run(500);
    ASSERT_EQ(cluster().node(1).got.size(), 300u);
    for (int i = 0; i < 300; ++i) ASSERT_EQ(cluster().node(1).got[i], "0:" + std::to_string(i));
    EXPECT_EQ(cluster().mails<AcceptIn>(0).size(), 300u);
    EXPECT_TRUE(cluster().mails<PeerDown>(0).empty());
    EXPECT_EQ(cluster().node(0).all_closes + cluster().node(1).all_closes, 0);
  }
}

TEST_F(Faults, AKilledNodeIsGivenUpWithinTwoSeconds) {
  make({.nodes = 3});
  const uint64_t before = cluster().subscribe(2, 0, "of/the/dead");
  ASSERT_TRUE(cluster().run_until([&] { return cluster().is_synced(2, 0, before); }, 500));
  cluster().crash(2);
  const uint64_t number = cluster().subscribe(0, 0, "a");
  EXPECT_FALSE(cluster().run_until([&] { return cluster().is_synced(0, 0, number); }, 600))
      << "it may have been cut off only, and acknowledge under its lease";
  EXPECT_TRUE(cluster().run_until([&] { return cluster().is_synced(0, 0, number); }, 1000));
  EXPECT_TRUE(cluster().run_until([&] { return cluster().may_acknowledge(0); }, 1));
  EXPECT_EQ(cluster().mails<PeerDown>(0).size(), 2u) << "one for each worker";
  EXPECT_EQ(cluster().member(0, 2).state, MemberState::kGivenUp);

  cluster().start(2);
  ASSERT_TRUE(settles(2000)) << reasons();
  EXPECT_EQ(cluster().node(2).all_closes, 0) << "it has no client of before";
}

TEST_F(Faults, AFrozenNodeIsWaitedForOnceAndClosesItsClients) {
  make({.nodes = 3});
  const uint64_t before = cluster().subscribe(2, 0, "a/b");
  ASSERT_TRUE(cluster().run_until([&] { return cluster().is_synced(2, 0, before); }, 500));
  cluster().freeze(2, 5000);
  const uint64_t first = cluster().subscribe(0, 0, "x");
  ASSERT_TRUE(cluster().run_until([&] { return cluster().is_synced(0, 0, first); }, 2000));
  const uint64_t second = cluster().subscribe(0, 0, "y");
  EXPECT_TRUE(cluster().run_until([&] { return cluster().is_synced(0, 0, second); }, 50));
  cluster().run(2000);
  EXPECT_FALSE(cluster().may_acknowledge(2)) << "its lease ran out while it slept";
  ASSERT_TRUE(settles(3000)) << reasons();
  EXPECT_EQ(cluster().node(2).all_closes, 1);
  EXPECT_EQ(cluster().node(0).all_closes + cluster().node(1).all_closes, 0);
}

TEST_F(Faults, AMinorityAcknowledgesNothingAndLosesNothing) {
  make({.nodes = 3, .workers = 1});
  cluster().cut_both(0, 2);
  cluster().cut_both(1, 2);
  const uint64_t number = cluster().subscribe(2, 0, "minority");
  cluster().run(10'000);
  EXPECT_FALSE(cluster().is_synced(2, 0, number));
  EXPECT_FALSE(cluster().may_acknowledge(2));
  EXPECT_TRUE(cluster().may_acknowledge(0));
  EXPECT_TRUE(cluster().may_acknowledge(1));
  EXPECT_TRUE(cluster().mails<PeerDown>(2).empty()) << "a minority gives up nobody";
  cluster().heal();
  ASSERT_TRUE(settles(4000)) << reasons();
  EXPECT_EQ(cluster().node(2).all_closes, 1);
  EXPECT_TRUE(cluster().is_synced(2, 0, number));
}

TEST_F(Faults, AThreeWaySplitHealsAndNobodyLostAClient) {
  make({.nodes = 3, .workers = 1});
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < a; ++b) cluster().cut_both(a, b);
  }
  cluster().forward(0, 0, 1, 1, "waits for the other side");
  cluster().run(20'000);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(cluster().may_acknowledge(i));
  cluster().heal();
  ASSERT_TRUE(settles(4000)) << reasons();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cluster().node(i).all_closes, 0);
  cluster().run(500);
  EXPECT_EQ(cluster().node(1).got, (std::vector<std::string>{"0:waits for the other side"}));
  EXPECT_EQ(cluster().mails<AcceptIn>(0).size(), 1u);
}

TEST_F(Faults, TwoOfTwoNodesNeedEachOther) {
  make({.nodes = 2, .workers = 1});
  cluster().cut_both(0, 1);
  cluster().run(5000);
  EXPECT_FALSE(cluster().may_acknowledge(0));
  EXPECT_FALSE(cluster().may_acknowledge(1));
  cluster().heal();
  ASSERT_TRUE(settles(4000)) << reasons();
  EXPECT_EQ(cluster().node(0).all_closes + cluster().node(1).all_closes, 0);
}

// The lower of two that lost each other goes on; the other steps down, also when only one way of
// theirs is cut, and whichever way that is.
TEST_F(Faults, OfTwoThatLostEachOtherOneStepsDown) {
  for (int ways = 1; ways <= 3; ++ways) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      make({.nodes = 3, .workers = 1, .seed = seed});
      if (ways & 1) cluster().cut(0, 1);
      if (ways & 2) cluster().cut(1, 0);
      cluster().run(6000);
      for (int i = 0; i < 100; ++i) {
        cluster().run(50);
        ASSERT_FALSE(cluster().may_acknowledge(0) && cluster().may_acknowledge(1));
      }
      EXPECT_TRUE(cluster().may_acknowledge(0) || cluster().may_acknowledge(1)) << reasons();
      EXPECT_TRUE(cluster().may_acknowledge(2)) << reasons();
      cluster().heal();
      ASSERT_TRUE(settles(5000)) << reasons();
    }
  }
}

// The third may have confirmed the other one just before it went.
TEST_F(Faults, ARestartedNodeConfirmsNobodyBeforeWhatItConfirmedHasRunOut) {
  make({.nodes = 3, .workers = 1});
  cluster().cut_both(0, 1);
  cluster().run(5000);
  ASSERT_TRUE(cluster().node(2).confirmed.has_value());
  cluster().crash(2);
  cluster().start(2);
  const Instant started = cluster().now().mono;
  ASSERT_TRUE(cluster().run_until([&] { return cluster().node(2).confirmed.has_value(); }, 5000))
      << reasons();
  const Limits limits;
  EXPECT_GE(*cluster().node(2).confirmed, started + limits.lease + limits.lease_margin);
}

TEST_F(Faults, TheOneThatSteppedDownGoesOnWhenTheOthersLoseTheFirst) {
  make({.nodes = 3, .workers = 1});
  const int lower = cluster().id(0) < cluster().id(1) ? 0 : 1;
  cluster().cut_both(0, 1);
  cluster().run(5000);
  ASSERT_TRUE(cluster().may_acknowledge(lower));
  cluster().crash(lower);
  cluster().run(6000);
  EXPECT_TRUE(cluster().may_acknowledge(1 - lower)) << reasons();
  EXPECT_TRUE(cluster().may_acknowledge(2)) << reasons();
}

TEST_F(Faults, AllOrdersOfRestartHeal) {
  std::vector<int> order = {0, 1, 2};
  do {
    make({.nodes = 3});
    for (int i = 0; i < 3; ++i) cluster().crash(i);
    cluster().run(500);
    for (const int i : order) {
      cluster().start(i);
      cluster().run(700);
    }
    ASSERT_TRUE(settles(5000)) << reasons();
    EXPECT_EQ(cluster().status(0).members.size(), 3u);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Faults, AQuickRestartEndsTheOldLifeOfItsMessages) {
  make({.nodes = 3, .workers = 1});
  cluster().node(1).consumes = false;
  cluster().forward(0, 0, 1, 1, "to a subscriber of before");
  cluster().run(20);
  cluster().crash(1);
  cluster().run(50);
  cluster().node(1).consumes = true;
  cluster().start(1);
  ASSERT_TRUE(settles(2000)) << reasons();
  EXPECT_EQ(cluster().mails<PeerDown>(0).size(), 1u);
  EXPECT_TRUE(cluster().node(1).got.empty());
  EXPECT_TRUE(cluster().mails<AcceptIn>(0).empty());
}

TEST_F(Faults, AMemberComesBackAtAnotherAddress) {
  make({.nodes = 3});
  cluster().crash(1);
  cluster().run(3000);
  cluster().move(1, "10.1.0.9:7883");
  cluster().node(1).config.join = {"10.0.0.1:7883"};
  cluster().start(1);
  ASSERT_TRUE(settles(4000)) << reasons();
  EXPECT_EQ(cluster().member(0, 1).address, "10.1.0.9:7883");
  EXPECT_EQ(cluster().member(2, 1).address, "10.1.0.9:7883");
  // The others find it there without having been told by a person.
  cluster().crash(0);
  cluster().crash(2);
  cluster().run(1000);
  cluster().node(2).config.join = {};
  cluster().start(2);
  ASSERT_TRUE(cluster().run_until([&] { return cluster().may_acknowledge(2); }, 5000)) << reasons();
}

TEST_F(Faults, AWipedNodeReplacesItsOldSelf) {
  make({.nodes = 3});
  for (int round = 0; round < 4; ++round) {
    const int victim = round % 3;
    cluster().crash(victim);
    cluster().run(round % 2 == 0 ? 300 : 4000);
    cluster().wipe(victim);
    cluster().start(victim);
    ASSERT_TRUE(settles(6000)) << round << ": " << reasons();
  }
  EXPECT_EQ(cluster().status(0).majority, 2);
  int members = 0;
  for (const MemberStatus& member : cluster().status(0).members) {
    members += member.state == MemberState::kLeft ? 0 : 1;
  }
  EXPECT_EQ(members, 3);
}

// At another address: nobody can know that the old one is not there any more.
TEST_F(Faults, AWipedNodeThatMovedIsOneMoreUntilTheOldOneIsRemoved) {
  make({.nodes = 3});
  const NodeId old = cluster().id(2);
  cluster().crash(2);
  cluster().run(3000);
  cluster().wipe(2);
  cluster().move(2, "10.1.0.9:7883");
  cluster().node(2).config.join = {"10.0.0.1:7883"};
  cluster().start(2);
  ASSERT_TRUE(settles(4000)) << reasons();
  const auto members = [&] {
    std::vector<NodeId> members;
    for (const MemberStatus& member : cluster().status(1).members) {
      if (member.state != MemberState::kLeft) members.push_back(member.id);
    }
    return members;
  };
  EXPECT_EQ(members().size(), 4u);
  EXPECT_THAT(members(), testing::Contains(old));
  EXPECT_EQ(cluster().status(1).majority, 3);
  std::vector<std::string> log = cluster().node(0).log;
  const std::vector<std::string>& other = cluster().node(1).log;
  log.insert(log.end(), other.begin(), other.end());
  EXPECT_THAT(log,
              testing::Contains(testing::AllOf(
                  testing::StartsWith("node n3 at 10.0.0.3:7883 is another member of that name"),
                  testing::HasSubstr("`shoal ctl remove "))));
  cluster().command(0, 1, RemoveCommand{"n3"});
  EXPECT_EQ(cluster().node(0).answers.back().text, "node n3 is removed");
  cluster().run(500);
  ASSERT_TRUE(settles(4000)) << reasons();
  EXPECT_EQ(members().size(), 3u);
  EXPECT_THAT(members(), testing::Not(testing::Contains(old)));
  EXPECT_EQ(cluster().status(1).majority, 2);
  EXPECT_TRUE(cluster().may_acknowledge(2));
}

TEST_F(Faults, AnEarlierStartIsRefused) {
  make({.nodes = 3});
  cluster().crash(1);
  const StoredState old = cluster().node(1).disk;
  cluster().start(1);
  ASSERT_TRUE(settles(3000));
  cluster().crash(1);
  cluster().node(1).disk = old;
  cluster().node(1).disk.incarnation = old.incarnation - 1;
  cluster().start(1);
  cluster().run(4000);
  EXPECT_FALSE(cluster().status(1).ready);
  EXPECT_TRUE(cluster().may_acknowledge(0));
}

// Whatever was dialled meanwhile, by whom and when: all serve again within five seconds.
TEST_F(Faults, WhatWasCutIsTogetherAgainWithinFiveSeconds) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    make({.nodes = 3, .workers = 1, .seed = seed});
    cluster().slow_dials(seed % 2 == 0);
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < a; ++b) {
        if ((seed + a + b) % 3 != 0) cluster().cut_both(a, b);
      }
    }
    cluster().run(3000 + static_cast<int64_t>(seed * 173));
    cluster().heal();
    ASSERT_TRUE(settles(5000)) << "seed " << seed << ": " << reasons();
  }
}

TEST_F(Faults, SlowDialsSettleOnOneLink) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    make({.nodes = 3, .workers = 1, .seed = seed});
    cluster().slow_dials(true);
    for (int i = 0; i < 10; ++i) {
      cluster().reset_links(static_cast<int>(seed) % 3, (static_cast<int>(seed) + 1) % 3);
      cluster().run(400);
    }
    ASSERT_TRUE(settles(6000)) << reasons();
  }
}

}  // namespace
}  // namespace shoal
