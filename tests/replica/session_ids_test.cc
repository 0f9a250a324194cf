// What a node's hub knows of the sessions in the states of its replicas, and when it says that nothing of
// a client id is stored.
#include "cluster/replica/session_ids.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "cluster/shard/slots.h"
#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {
namespace {

TEST(SessionIds, AreCountedByTheirHashes) {
  SessionIds ids;
  EXPECT_FALSE(ids.may_have(7));
  ids.apply({.begun = {7, 7, 8}, .ended = {}});
  ids.apply({.begun = {}, .ended = {7}});
  EXPECT_TRUE(ids.may_have(7)) << "another client id has the same hash";
  EXPECT_EQ(ids.sessions(), 2u);
  ids.apply({.begun = {7}, .ended = {7, 7, 8}});
  EXPECT_FALSE(ids.may_have(7) || ids.may_have(8));
  EXPECT_EQ(ids.sessions(), 0u);
}

TEST(SessionIds, AStateThatTookAnothersPlaceIsAllThereIs) {
  SessionIds ids;
  ids.apply({.begun = {1, 2}, .ended = {}});
  ids.apply({.is_whole = true, .begun = {2, 3, 4}, .ended = {4}});
  EXPECT_FALSE(ids.may_have(1) || ids.may_have(4));
  EXPECT_TRUE(ids.may_have(2) && ids.may_have(3));
  EXPECT_EQ(ids.sessions(), 2u);
}

class NothingStored : public testing::Test {
 protected:
  explicit NothingStored(const StoreCluster::Options& options = {.workers = 2})
      : cluster_(options) {}

  void SetUp() override {
    cluster_.on_mail = [this](int, WorkerIndex, FromStore&& mail) {
      if (auto* const attached = std::get_if<SessionAttached>(&mail)) attached_ = *attached;
    };
    cluster_.on_crash = [](int) {};
    for (int node = 0; node < cluster_.nodes(); ++node) cluster_.start(node);
    run_until_settled();
  }
  void run(Duration time) { cluster_.world().run_until(cluster_.world().now() + time); }
  void run_until_settled() {
    for (int i = 0; i < 300 && !cluster_.is_settled(); ++i) run(Duration::millis(100));
    ASSERT_TRUE(cluster_.is_settled());
  }

  int leader_of(const std::string& id) const {
    return cluster_.leader(shard::shard_of(id, 5, cluster_.options().shards));
  }
  bool says(int node, const std::string& id) const {
    return cluster_.store(node).is_nothing_stored(id);
  }
  int say_so(const std::string& id) const {
    int count = 0;
    for (int node = 0; node < cluster_.nodes(); ++node) {
      count += cluster_.is_up(node) && says(node, id);
    }
    return count;
  }
  SessionConnect connect_of(const std::string& id, uint32_t expiry_s) {
    return {.conn = {++conns_, 1},
            .client_id = id,
            .claim = {conns_, NodeId{1}},
            .receive_maximum = 3,
            .expiry_s = expiry_s};
  }
  // Of a session that is kept for so long.
  void connect(int node, const std::string& id, uint32_t expiry_s = 1000) {
    attached_.reset();
    cluster_.ask(node, 0, connect_of(id, expiry_s));
    for (int i = 0; i < 100 && !attached_; ++i) run(Duration::millis(100));
    ASSERT_TRUE(attached_ && attached_->outcome == SessionAttached::Outcome::kAttached) << id;
  }
  void detach(int node, const std::string& id) {
    SessionDetach detach;
    detach.number = ++detaches_[node];
    detach.client_id = id;
    detach.epoch = attached_->epoch;
    cluster_.ask(node, 0, std::move(detach));
    run(Duration::millis(500));
  }

  StoreCluster cluster_;
  std::optional<SessionAttached> attached_;
  uint32_t conns_ = 0;
  std::map<int, uint64_t> detaches_;
};

TEST_F(NothingStored, SaysTheLeaderAlone) {
  for (int i = 0; i < 20; ++i) {
    const std::string id = "new " + std::to_string(i);
    EXPECT_EQ(say_so(id), 1);
    EXPECT_TRUE(says(leader_of(id), id));
  }
}

TEST_F(NothingStored, NobodySaysWhileASessionIsStored) {
  for (int node = 0; node < cluster_.nodes(); ++node) {
    const std::string id = "kept " + std::to_string(node);
    connect(node, id);
    EXPECT_EQ(say_so(id), 0);
    detach(node, id);
    EXPECT_EQ(say_so(id), 0);
    connect(node, id, 0);  // from now on it ends with its connection
    EXPECT_EQ(say_so(id), 0);
    detach(node, id);
    EXPECT_EQ(say_so(id), 1);
  }
  cluster_.check_replicas();
  EXPECT_TRUE(cluster_.violations.empty());
}

// Its end is an entry, made by the leader's clock.
TEST_F(NothingStored, AnExpiredSessionIsStoredUntilItIsEnded) {
  const int node = leader_of("expires");
  connect(node, "expires", 2);
  detach(node, "expires");
  run(Duration::seconds(1));
  EXPECT_EQ(say_so("expires"), 0);
  run(Duration::seconds(2));
  EXPECT_EQ(say_so("expires"), 1);
}

TEST_F(NothingStored, NobodySaysWhileAConnectIsNotAnswered) {
  const int node = leader_of("c");
  Store& store = cluster_.store(node);
  for (const uint32_t expiry_s : {0u, 1000u}) {  // a question, and an op
    attached_.reset();
    bool is_asked = false;
    cluster_.on_hub(node, [&, expiry_s] {
      store.on_worker(0, connect_of("c", expiry_s), cluster_.now());
      is_asked = true;
    });
    while (!is_asked) run(Duration{1'000});
    EXPECT_FALSE(store.is_nothing_stored("c"));
    EXPECT_TRUE(says(leader_of("another"), "another"));
    while (!attached_) {
      EXPECT_FALSE(store.is_nothing_stored("c"));
      run(Duration{1'000});
    }
    EXPECT_EQ(store.is_nothing_stored("c"), expiry_s == 0);
  }
}

// The worker has forgotten it, its op goes on.
TEST_F(NothingStored, NobodySaysWhileAConnectThatIsWithdrawnIsOnItsWay) {
  const int node = leader_of("c");
  Store& store = cluster_.store(node);
  bool is_asked = false;
  cluster_.on_hub(node, [&] {
    const SessionConnect connect = connect_of("c", 1000);
    const ConnId conn = connect.conn;
    store.on_worker(0, connect, cluster_.now());
    store.on_worker(0, SessionWithdraw{conn, "c"}, cluster_.now());
    is_asked = true;
  });
  while (!is_asked) run(Duration{1'000});
  EXPECT_FALSE(store.is_nothing_stored("c"));
  while (cluster_.store(node).client().waiting() != 0) {
    EXPECT_FALSE(store.is_nothing_stored("c"));
    run(Duration{1'000});
  }
  EXPECT_FALSE(attached_);
  EXPECT_FALSE(store.is_nothing_stored("c")) << "it is stored: it was to be kept";
}

// Of two CONNECTs the first is not answered when the second is.
TEST_F(NothingStored, NobodySaysWhileAnOlderConnectIsOnItsWay) {
  const int node = leader_of("c");
  Store& store = cluster_.store(node);
  bool is_asked = false;
  cluster_.on_hub(node, [&] {
    store.on_worker(0, connect_of("c", 1000), cluster_.now());
    store.on_worker(1, connect_of("c", 0), cluster_.now());  // a question, in the other's place
    is_asked = true;
  });
  while (!is_asked) run(Duration{1'000});
  while (cluster_.store(node).client().waiting() != 0) {
    EXPECT_FALSE(store.is_nothing_stored("c"));
    run(Duration{1'000});
  }
}

TEST_F(NothingStored, ANewLeaderKnowsWhatIsStored) {
  for (int i = 0; i < 8; ++i) connect(i % 3, "kept " + std::to_string(i));
  for (int node = 0; node < cluster_.nodes(); ++node) {
    cluster_.crash(node);
    run(Duration::seconds(5));
    for (int i = 0; i < 8; ++i) EXPECT_EQ(say_so("kept " + std::to_string(i)), 0);
    EXPECT_EQ(say_so("new"), 1);
    cluster_.start(node);
    run_until_settled();
    for (int i = 0; i < 8; ++i) EXPECT_EQ(say_so("kept " + std::to_string(i)), 0);
  }
  cluster_.check_replicas();
  EXPECT_TRUE(cluster_.violations.empty());
}

class NothingStoredAfterACopy : public NothingStored {
 protected:
  NothingStoredAfterACopy() : NothingStored({.workers = 2, .trailing = 5}) {}
};

TEST_F(NothingStoredAfterACopy, IsSaidOfWhatIsInTheCopy) {
  connect(0, "ends");
  connect(0, "ends", 0);
  cluster_.crash(1);
  run(Duration::seconds(5));
  detach(0, "ends");
  for (int i = 0; i < 40; ++i) connect(0, "kept " + std::to_string(i));
  run(Duration::seconds(15));  // until it is flushed, and the log cut
  cluster_.start(1);
  run_until_settled();
  EXPECT_GT(cluster_.installed(), 0u);
  cluster_.check_replicas();
  EXPECT_TRUE(cluster_.violations.empty());
  cluster_.crash(0);
  run(Duration::seconds(5));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(say_so("kept " + std::to_string(i)), 0);
  EXPECT_EQ(say_so("ends"), 1);
}

}  // namespace
}  // namespace shoal::replica::test
