// One client id, one connection: who is granted a claim, who is evicted, who waits for whom.
#include <gtest/gtest.h>

#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

using Outcome = ClaimAnswer::Outcome;

class ClaimsTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_ = std::make_unique<HubCluster>(ClusterOptions{.nodes = 3, .workers = 2});
    ASSERT_TRUE(cluster_->run_until([&] { return cluster_->all_ready(); }, 3000));
  }
  // A request; its number is the connection's slot.
  uint32_t claim(int node, WorkerIndex worker, const std::string& id,
                 const std::string& user = {}) {
    ++last_;
    cluster_->send(node, worker, ClaimRequest{{last_, 1}, id, user});
    return last_;
  }
  std::optional<ClaimAnswer> answer(int node, uint32_t conn) {
    std::optional<ClaimAnswer> found;
    for (const ClaimAnswer& one : cluster_->mails<ClaimAnswer>(node)) {
      if (one.conn.slot == conn) found = one;
    }
    return found;
  }
  std::optional<ClaimAnswer> wait_for(int node, uint32_t conn, int64_t ms) {
    cluster_->run_until([&] { return answer(node, conn).has_value(); }, ms);
    return answer(node, conn);
  }
  Outcome outcome(int node, uint32_t conn, int64_t ms = 100) {
    const auto found = wait_for(node, conn, ms);
    EXPECT_TRUE(found.has_value());
    return found ? found->outcome : Outcome::kUnavailable;
  }

  std::unique_ptr<HubCluster> cluster_;
  uint32_t last_ = 0;
};

TEST_F(ClaimsTest, TheLaterClaimEvictsTheOlderEverywhere) {
  const uint32_t first = claim(0, 0, "alice");
  ASSERT_EQ(outcome(0, first), Outcome::kGranted);
  const Stamp stamp = answer(0, first)->stamp;
  cluster_->node(0).evicts = false;
  const uint32_t second = claim(1, 0, "alice");
  EXPECT_FALSE(wait_for(1, second, 500)) << "not before the older one is gone";
  const auto evictions = cluster_->mails<Evict>(0);
  ASSERT_EQ(evictions.size(), 1u);
  EXPECT_EQ(evictions[0].stamp, stamp);
  cluster_->send(0, 0, EvictDone{"alice", stamp});
  EXPECT_EQ(outcome(1, second), Outcome::kGranted);
  EXPECT_GT(answer(1, second)->stamp, stamp);
  EXPECT_EQ(cluster_->status(0).claims, 0u);
  EXPECT_EQ(cluster_->status(1).claims, 1u);
}

TEST_F(ClaimsTest, AnotherWorkerOfTheNodeEvictsTheOlderToo) {
  ASSERT_EQ(outcome(0, claim(0, 0, "alice")), Outcome::kGranted);
  const uint32_t same = claim(0, 0, "alice");
  EXPECT_EQ(outcome(0, same), Outcome::kGranted);
  EXPECT_TRUE(cluster_->mails<Evict>(0).empty()) << "a worker takes its own over by itself";
  const uint32_t other = claim(0, 1, "alice");
  EXPECT_EQ(outcome(0, other), Outcome::kGranted);
  ASSERT_EQ(cluster_->mails<Evict>(0).size(), 1u);
  EXPECT_EQ(cluster_->mails<Evict>(0)[0].stamp, answer(0, same)->stamp);
}

TEST_F(ClaimsTest, OfTwoAtTheSameTimeOneWins) {
  for (int i = 0; i < 20; ++i) {
    const std::string id = "c" + std::to_string(i);
    const uint32_t a = claim(0, 0, id);
    const uint32_t b = claim(1, 0, id);
    cluster_->run(100);
    ASSERT_TRUE(answer(0, a) && answer(1, b));
    const bool a_wins = answer(0, a)->outcome == Outcome::kGranted;
    const bool b_wins = answer(1, b)->outcome == Outcome::kGranted;
    EXPECT_TRUE(b_wins || a_wins);
    EXPECT_EQ(cluster_->status(0).claims + cluster_->status(1).claims,
              static_cast<uint64_t>(i + 1));
  }
}

// A peer waits for an eviction here, and a connection here asks meanwhile, which the peer agrees to:
// when the eviction is done, only one of the two may have the id.
TEST_F(ClaimsTest, WhoWaitsForAnEvictionLosesAgainstALaterRequestOfThatNode) {
  cluster_->node(1).evicts = false;
  ASSERT_EQ(outcome(1, claim(1, 0, "alice")), Outcome::kGranted);
  const Stamp held = answer(1, last_)->stamp;
  const uint32_t waiting = claim(0, 0, "alice");
  cluster_->run(50);
  const uint32_t later = claim(1, 0, "alice");
  cluster_->run(50);
  EXPECT_FALSE(answer(0, waiting) || answer(1, later));
  cluster_->send(1, 0, EvictDone{"alice", held});
  EXPECT_EQ(outcome(1, later), Outcome::kGranted);
  EXPECT_EQ(outcome(0, waiting), Outcome::kSuperseded);
  EXPECT_EQ(cluster_->status(0).claims + cluster_->status(1).claims, 1u);
}

TEST_F(ClaimsTest, ARequestThatIsOvertakenIsTheLoser) {
  cluster_->node(1).evicts = false;
  ASSERT_EQ(outcome(1, claim(1, 0, "alice")), Outcome::kGranted);
  const uint32_t first = claim(0, 0, "alice");
  cluster_->run(50);
  const uint32_t second = claim(0, 1, "alice");
  EXPECT_FALSE(wait_for(0, second, 200));
  const Evict evict = cluster_->mails<Evict>(1).at(0);
  EXPECT_EQ(cluster_->mails<Evict>(1).size(), 1u) << "one eviction serves all";
  cluster_->send(1, 0, EvictDone{"alice", evict.stamp});
  EXPECT_EQ(outcome(0, second), Outcome::kGranted);
  EXPECT_EQ(outcome(0, first), Outcome::kSuperseded);
}

TEST_F(ClaimsTest, AWithdrawnRequestLeavesTheIdToTheOneBefore) {
  cluster_->node(1).evicts = false;
  ASSERT_EQ(outcome(1, claim(1, 0, "alice")), Outcome::kGranted);
  const uint32_t first = claim(0, 0, "alice");
  const uint32_t second = claim(0, 1, "alice");
  cluster_->run(50);
  cluster_->send(0, 1, ClaimWithdraw{{second, 1}, "alice"});
  cluster_->run(50);
  const Evict evict = cluster_->mails<Evict>(1).at(0);
  cluster_->send(1, 0, EvictDone{"alice", evict.stamp});
  EXPECT_EQ(outcome(0, first), Outcome::kGranted);
  EXPECT_FALSE(answer(0, second));
}

// Of the connection's own node, and of another.
TEST_F(ClaimsTest, WhoIsRefusedEvictsNobody) {
  cluster_->node(0).evicts = false;
  ASSERT_EQ(outcome(0, claim(0, 0, "id", "alice")), Outcome::kGranted);
  const Stamp held = answer(0, last_)->stamp;
  for (const int node : {0, 1}) {
    const uint32_t bob = claim(node, 1, "id", "bob");
    EXPECT_FALSE(wait_for(node, bob, 100));
    EXPECT_EQ(cluster_->mails<Evict>(0).back().user, "bob");
    cluster_->send(0, 0, EvictRefused{"id", held, "bob"});
    EXPECT_EQ(outcome(node, bob), Outcome::kRefusedUser);
    EXPECT_EQ(cluster_->status(0).claims, 1u);
  }
  const uint32_t alice = claim(1, 0, "id", "alice");
  EXPECT_FALSE(wait_for(1, alice, 100));
  EXPECT_EQ(cluster_->mails<Evict>(0).size(), 3u);
  EXPECT_EQ(cluster_->mails<Evict>(0).back().user, "alice");
  cluster_->send(0, 0, EvictDone{"id", held});
  EXPECT_EQ(outcome(1, alice), Outcome::kGranted);
}

TEST_F(ClaimsTest, WhoAskedBesideOneThatIsRefusedGetsTheId) {
  for (const int node : {0, 2}) {  // the connection's own node, and another
    const std::string id = "id" + std::to_string(node);
    cluster_->node(0).evicts = false;
    ASSERT_EQ(outcome(0, claim(0, 0, id, "alice")), Outcome::kGranted);
    const Stamp held = answer(0, last_)->stamp;
    const uint32_t bob = claim(1, 0, id, "bob");
    cluster_->run(50);
    const uint32_t alice = claim(node, 1, id, "alice");
    cluster_->run(50);
    cluster_->send(0, 0, EvictRefused{id, held, "bob"});
    cluster_->run(50);
    EXPECT_EQ(cluster_->mails<Evict>(0).back().user, "alice");
    cluster_->send(0, 0, EvictDone{id, held});
    EXPECT_EQ(outcome(node, alice), Outcome::kGranted);
    EXPECT_NE(outcome(1, bob), Outcome::kGranted);
  }
}

TEST_F(ClaimsTest, WhoAskedBeforeOneThatIsRefusedAsksAgain) {
  cluster_->node(0).evicts = false;
  ASSERT_EQ(outcome(0, claim(0, 0, "id", "alice")), Outcome::kGranted);
  const Stamp held = answer(0, last_)->stamp;
  claim(2, 0, "id", "bob");
  cluster_->run(50);
  const uint32_t alice = claim(1, 0, "id", "alice");
  cluster_->run(50);
  const uint32_t bob = claim(1, 1, "id", "bob");
  cluster_->run(50);
  cluster_->send(0, 0, EvictRefused{"id", held, "bob"});
  EXPECT_EQ(outcome(1, bob), Outcome::kRefusedUser);
  EXPECT_FALSE(answer(1, alice));
  cluster_->send(0, 0, EvictDone{"id", held});
  EXPECT_EQ(outcome(1, alice), Outcome::kGranted);
}

// The connection ends while somebody is being refused for it.
TEST_F(ClaimsTest, ARefusalOfAnotherClaimMeansNothing) {
  cluster_->node(0).evicts = false;
  ASSERT_EQ(outcome(0, claim(0, 0, "id", "alice")), Outcome::kGranted);
  const Stamp held = answer(0, last_)->stamp;
  cluster_->send(0, 0, EvictRefused{"id", held, "bob"});  // nobody asked
  cluster_->send(0, 0, EvictRefused{"other", held, "bob"});
  const uint32_t bob = claim(1, 0, "id", "bob");
  cluster_->run(50);
  cluster_->send(0, 0, ClaimRelease{"id", held});
  EXPECT_EQ(outcome(1, bob), Outcome::kGranted);
  cluster_->send(0, 0, EvictRefused{"id", held, "bob"});
  cluster_->run(50);
  EXPECT_EQ(cluster_->status(1).claims, 1u);
}

// A claim of a node that stood still, or was cut off, for a connection that has gone since.
TEST_F(ClaimsTest, AWithdrawnClaimOfAPeerBeatsNobody) {
  cluster_->freeze(0, 500);
  const uint32_t gone = claim(1, 0, "alice");
  cluster_->run(50);
  cluster_->send(1, 0, ClaimWithdraw{{gone, 1}, "alice"});
  cluster_->run(600);
  EXPECT_EQ(outcome(0, claim(0, 0, "alice")), Outcome::kGranted);
  EXPECT_EQ(cluster_->status(1).claims, 0u);
}

TEST_F(ClaimsTest, AClaimGoesToAnotherWorkerWithItsConnection) {
  const Stamp stamp = (claim(0, 0, "alice"), wait_for(0, last_, 100))->stamp;
  cluster_->send(0, 1, ClaimMove{"alice", stamp, 0, 7});
  cluster_->run(10);
  ASSERT_EQ(cluster_->mails<ClaimMoved>(0).size(), 1u);
  EXPECT_EQ(cluster_->mails<ClaimMoved>(0)[0].number, 7u);
  cluster_->node(0).evicts = false;
  const uint32_t second = claim(1, 0, "alice");
  cluster_->run(50);
  cluster_->send(0, 0, EvictDone{"alice", stamp});  // it is not there any more
  EXPECT_FALSE(wait_for(1, second, 100));
  cluster_->send(0, 1, EvictDone{"alice", stamp});
  EXPECT_EQ(outcome(1, second), Outcome::kGranted);
}

// Whoever asked before, from the worker that the connection leaves, was not told to wait for it.
TEST_F(ClaimsTest, AConnectionThatMovesIsInTheWayOfWhoAskedBefore) {
  const Stamp stamp = (claim(0, 0, "alice"), wait_for(0, last_, 100))->stamp;
  cluster_->node(0).evicts = false;
  cluster_->freeze(2, 400);
  const uint32_t second = claim(0, 0, "alice");  // the peers are asked
  cluster_->run(50);
  EXPECT_EQ(cluster_->mails<Evict>(0).size(), 0u);
  cluster_->send(0, 1, ClaimMove{"alice", stamp, 0, 1});
  cluster_->run(10);
  EXPECT_EQ(cluster_->mails<Evict>(0).size(), 1u);
  EXPECT_FALSE(wait_for(0, second, 1000));
  cluster_->send(0, 1, EvictDone{"alice", stamp});
  EXPECT_EQ(outcome(0, second), Outcome::kGranted);
}

// Somebody has the id by then.
TEST_F(ClaimsTest, AMoveOfAnEarlierClaimChangesNothing) {
  const Stamp first = (claim(0, 0, "alice"), wait_for(0, last_, 100))->stamp;
  ASSERT_EQ(outcome(0, claim(0, 0, "alice")), Outcome::kGranted);
  const Stamp second = answer(0, last_)->stamp;
  cluster_->send(0, 1, ClaimMove{"alice", first, 0, 1});
  cluster_->run(10);
  EXPECT_EQ(cluster_->mails<ClaimMoved>(0).size(), 1u);
  cluster_->send(0, 0, ClaimRelease{"alice", second});
  cluster_->run(10);
  EXPECT_EQ(cluster_->status(0).claims, 0u);
}

TEST_F(ClaimsTest, AReleasedClaimIsNoMore) {
  const uint32_t conn = claim(0, 0, "alice");
  ASSERT_EQ(outcome(0, conn), Outcome::kGranted);
  cluster_->send(0, 0, ClaimRelease{"alice", answer(0, conn)->stamp});
  EXPECT_EQ(cluster_->status(0).claims, 0u);
  EXPECT_EQ(outcome(0, claim(0, 1, "alice")), Outcome::kGranted);
}

TEST_F(ClaimsTest, AFrozenNodeIsWaitedForUntilItsLeaseRanOut) {
  cluster_->freeze(2, 4000);
  const uint32_t conn = claim(0, 0, "alice");
  EXPECT_FALSE(wait_for(0, conn, 600));
  EXPECT_EQ(outcome(0, conn, 1000), Outcome::kGranted);
}

// Without a majority nobody is given up, and a claim that cannot be sure is refused in the end: a
// message that its client sends again elsewhere must not meet its older self when the cut heals.
TEST_F(ClaimsTest, WhoCannotReachAMajorityRefusesNewClients) {
  const uint32_t before = claim(1, 0, "alice");
  ASSERT_EQ(outcome(1, before), Outcome::kGranted);
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < a; ++b) cluster_->cut_both(a, b);
  }
  cluster_->run(3000);
  const uint32_t refused = claim(0, 0, "alice");
  EXPECT_FALSE(wait_for(0, refused, 3000));
  EXPECT_EQ(outcome(0, refused, 3000), Outcome::kUnavailable);
  cluster_->heal();
  ASSERT_TRUE(cluster_->run_until([&] { return cluster_->all_ready(); }, 5000));
  EXPECT_EQ(outcome(0, claim(0, 0, "alice")), Outcome::kGranted);
  cluster_->run(100);
  EXPECT_EQ(cluster_->status(0).claims + cluster_->status(1).claims, 1u);
}

TEST_F(ClaimsTest, NoClusterNoClient) {
  HubCluster lonely({.nodes = 3, .start = false});
  lonely.start(0);
  lonely.run(500);
  lonely.send(0, 0, ClaimRequest{{7, 1}, "alice", ""});
  lonely.run(1);
  ASSERT_EQ(lonely.mails<ClaimAnswer>(0).size(), 1u);
  EXPECT_EQ(lonely.mails<ClaimAnswer>(0)[0].outcome, Outcome::kUnavailable);
}

}  // namespace
}  // namespace shoal
