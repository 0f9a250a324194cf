// How connections of durable sessions end: by themselves, or by a later one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Durable, ExpiresAfterItsConnection) {  // [MQTT5-3.1.2-23]
  TestCluster cluster;
  TestClient& first = cluster.connect(0, durable("c"));
  cluster.subscribe(first, "t", Qos::k1);
  cluster.lose(first);
  cluster.advance(Duration::seconds(999));
  EXPECT_TRUE(cluster.store().session("c"));
  cluster.advance(Duration::seconds(2));
  EXPECT_FALSE(cluster.store().session("c"));
}

TEST(Durable, DisconnectMayChangeItsExpiry) {
  TestCluster cluster;
  TestClient& first = cluster.connect(0, durable("c"));
  Disconnect shorter;
  shorter.session_expiry_s = 5;
  cluster.send(first, shorter);
  TestClient& unchanged = cluster.connect(0, durable("d"));
  cluster.send(unchanged, Disconnect{});
  const auto& detaches = cluster.store().detaches;
  ASSERT_EQ(detaches.size(), 2u);
  EXPECT_EQ(detaches[0].expiry_s, 5u);
  EXPECT_EQ(detaches[1].expiry_s, std::nullopt);
  cluster.advance(Duration::seconds(6));
  EXPECT_FALSE(cluster.store().session("c"));
  EXPECT_TRUE(cluster.store().session("d"));
}

// However the connection ends, the store is told once.
TEST(Durable, EveryEndOfAConnectionDetaches) {
  const std::vector<std::pair<const char*, std::function<void(TestCluster&, TestClient&)>>> ends = {
      {"lost", [](TestCluster& cluster, TestClient& c) { cluster.lose(c); }},
      {"kicked",
       [](TestCluster& cluster, TestClient&) {
         cluster.on_broker(0, [&](Broker& b) { EXPECT_TRUE(b.kick("c", cluster.now())); });
       }},
      {"keep-alive",
       [](TestCluster& cluster, TestClient&) { cluster.advance(Duration::seconds(20)); }},
      {"protocol error",
       [](TestCluster& cluster, TestClient& c) {
         cluster.send_bytes(c, std::vector<uint8_t>{0x00, 0x00});
       }},
      {"drained",
       [](TestCluster& cluster, TestClient&) {
         cluster.mail(0, Drain{100});
         cluster.advance(Duration::seconds(1));
       }},
      {"cut off", [](TestCluster& cluster, TestClient&) { cluster.mail(0, AllClose{}); }},
      {"shutting down",
       [](TestCluster& cluster, TestClient&) {
         cluster.on_broker(0, [&](Broker& b) { b.shut_down(cluster.now()); });
       }},
      {"evicted by the store",
       [](TestCluster& cluster, TestClient&) {
         const SessionEpoch epoch = cluster.store().session("c")->epoch;
         cluster.mail(0, FromStore(SessionEvict{"c", epoch}));
       }},
  };
  for (const auto& [name, end] : ends) {
    TestCluster cluster;
    ConnectOptions options = durable("c");
    options.keep_alive_s = 10;
    TestClient& client = cluster.connect(0, options);
    cluster.subscribe(client, "t", Qos::k1);
    end(cluster, client);
    EXPECT_TRUE(client.closed) << name;
    EXPECT_EQ(cluster.store().detaches.size(), 1u) << name;
    EXPECT_FALSE(cluster.store().session("c")->attached) << name;
    EXPECT_EQ(cluster.counters(0).sessions_now, 0u) << name;
    EXPECT_EQ(cluster.counters(0).subscriptions_now, 0u) << name;
    EXPECT_EQ(cluster.hub_log.back(), "release c") << name;
  }
}

TEST(Durable, AnEvictionIsForItsEpochAlone) {
  TestCluster cluster;
  TestClient& client = cluster.connect(0, durable("c"));
  const SessionEpoch epoch = cluster.store().session("c")->epoch;
  cluster.mail(0, FromStore(SessionEvict{"c", epoch - 1}));
  EXPECT_FALSE(client.closed);
  cluster.mail(0, FromStore(SessionEvict{"c", epoch}));
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x8e"));
  EXPECT_TRUE(client.closed);
}

TEST(Durable, AllCloseRefusesWhoIsNotLetInYet) {
  TestCluster cluster;
  cluster.store().holds_commits = true;
  TestClient& client = cluster.open(0, durable("c"));
  cluster.mail(0, AllClose{});
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x88"));
  EXPECT_EQ(cluster.all_closed, 1u);
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
}

// ---- take-over ----------------------------------------------------------------------------------------

TEST(Durable, ALaterConnectionTakesOver) {  // [MQTT5-3.1.4-3] [MQTT311-3.1.4-2]
  for (const bool first_is_durable : {true, false}) {
    for (const size_t next : {0u, 1u, 2u}) {
      TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
      TestClient& publisher = cluster.connect(3, "publisher");
      TestClient& first =
          first_is_durable ? cluster.connect(0, durable("c")) : cluster.connect(0, "c");
      cluster.subscribe(first, "t", Qos::k1);
      cluster.publish(publisher, "t", "unacknowledged", Qos::k1, 1);
      EXPECT_THAT(take(first), ElementsAre("SUBACK 1 0x01", "PUBLISH t unacknowledged q1"));
      TestClient& second = cluster.open(next, durable("c"));
      EXPECT_THAT(first.take(), ElementsAre("DISCONNECT 0x8e"));
      EXPECT_TRUE(first.closed);
      if (first_is_durable) {
        EXPECT_THAT(take(second),
                    ElementsAre("CONNACK 0x00 present", "PUBLISH t unacknowledged q1 dup"));
      } else {
        EXPECT_THAT(second.take(), ElementsAre("CONNACK 0x00"));
      }
      EXPECT_EQ(cluster.counters(0).takeovers, 1u);
      EXPECT_EQ(cluster.counters(0).sessions_now, next == 0 ? 1u : 0u);
    }
  }
}

TEST(Durable, TakeOverWhileTheFirstIsNotLetInYet) {
  for (const size_t next : {0u, 1u}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    cluster.store().holds_commits = true;
    TestClient& first = cluster.open(0, durable("c"));
    TestClient& second = cluster.open(next, durable("c"));
    EXPECT_THAT(first.take(), ElementsAre("CONNACK 0x89"));  // it may have a session
    EXPECT_EQ(cluster.store().seen["withdraw"], 1u);
    cluster.commit();
    EXPECT_THAT(second.take(), ElementsAre("CONNACK 0x00"));
    EXPECT_EQ(cluster.store().connects.size(), 1u);
    EXPECT_TRUE(cluster.store().session("c")->attached);
  }
}

// What the first connection published is waited for.
TEST(Durable, TakeOverWaitsForWhatTheFirstPublished) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& subscriber = cluster.connect(1, "subscriber");
  cluster.subscribe(subscriber, "t", Qos::k1);
  TestClient& first = cluster.connect(0, durable("c"));
  cluster.hold_acceptances = true;
  cluster.publish(first, "t", "a", Qos::k1, 1);
  TestClient& second = cluster.open(1, durable("c"));
  EXPECT_TRUE(first.closed);
  EXPECT_THAT(second.take(), IsEmpty());
  cluster.hold_acceptances = false;
  cluster.release_held();
  EXPECT_THAT(second.take(), ElementsAre("CONNACK 0x00 present"));
}

}  // namespace
}  // namespace shoal::test
