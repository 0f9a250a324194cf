// One client id, one connection: take-over on a worker, between workers and between nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Claims, ALaterConnectionTakesOver) {    // [MQTT5-3.1.4-3] [MQTT311-3.1.4-2] [MQTT5-3.1.3-2]
  for (const size_t where : {0u, 1u, 2u}) {  // the same worker, another one, another node
    TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
    TestClient& old_5 = cluster.connect(0, "five");
    TestClient& old_3 =
        cluster.connect(0, {.client_id = "three", .version = ProtocolVersion::kMqtt311});
    TestClient& new_5 = cluster.connect(where, "five");
    TestClient& new_3 =
        cluster.connect(where, {.client_id = "three", .version = ProtocolVersion::kMqtt311});
    EXPECT_THAT(old_5.take(), ElementsAre("DISCONNECT 0x8e"));
    EXPECT_THAT(old_3.take(), IsEmpty());
    EXPECT_TRUE(old_5.closed);
    EXPECT_TRUE(old_3.closed);
    EXPECT_FALSE(new_5.closed);
    EXPECT_FALSE(new_3.closed);
  }
}

TEST(Claims, WhatFollowsAConnectIsWorkedOnWhenItIsAnswered) {
  TestCluster cluster;
  cluster.store().holds_commits = true;
  TestClient& client = cluster.accept(0);
  std::vector<uint8_t> bytes;
  Connect connect;
  connect.client_id = "c";
  connect.session_expiry_s = 1000;
  encode_to(bytes, connect, ProtocolVersion::kMqtt5);
  encode_to(bytes, PingReq{}, ProtocolVersion::kMqtt5);
  cluster.send_bytes(client, bytes);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.commit();
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00", "PINGRESP"));
}

TEST(Claims, ATakeOverWaitsForWhatTheOldConnectionPublished) {
  for (const size_t where : {0u, 1u}) {  // the same node, another one
    TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
    TestClient& old = cluster.connect(0, "c");
    TestClient& far = cluster.connect(2, "far");
    cluster.subscribe(far, "t", Qos::k1);
    cluster.hold_acceptances = true;
    cluster.publish(old, "t", "m", Qos::k1, 1);
    TestClient& next = cluster.open(where, {.client_id = "c"});
    EXPECT_TRUE(old.closed);
    EXPECT_THAT(next.take(), IsEmpty());  // a repeat of "m" must not overtake it
    cluster.release_held();
    EXPECT_THAT(next.take(), ElementsAre("CONNACK 0x00"));
  }
}

// It is closed, and still has its CONNACK to write, when what it waited for is finished.
TEST(Claims, WhoWaitsForTheOldConnectionMayBeSentAwayBeforeIt) {
  TestCluster cluster;
  TestClient& member = cluster.connect(0, "member");
  cluster.subscribe(member, "$share/g/t", Qos::k1);
  TestClient& old = cluster.connect(0, "c");
  cluster.publish(old, "t", "m", Qos::k1, 1);  // until the member has acknowledged it
  TestClient& next = cluster.open(0, {.client_id = "c"});
  EXPECT_TRUE(old.closed);
  EXPECT_FALSE(next.closed);
  cluster.on_broker(0, [&](Broker& broker) { broker.shut_down(cluster.now()); });
  EXPECT_TRUE(next.closed);
  EXPECT_THAT(next.take(), ElementsAre("CONNACK 0x88"));
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
  EXPECT_EQ(cluster.hub_log.back(), "release c");
}

TEST(Claims, AnUnfinishedPublishIsGivenUpAfterPublishTimeout) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& old = cluster.connect(0, "c");
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.hold_acceptances = true;
  cluster.publish(old, "t", "m", Qos::k1, 1);
  cluster.lose(old);
  EXPECT_EQ(cluster.hub_log.back(), "grant far");
  cluster.advance(Duration::seconds(31));
  EXPECT_EQ(cluster.hub_log.back(), "release c");
}

TEST(Claims, ASessionThatOnlyWaitsForItsTicketsHasNoTimers) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& old = cluster.connect(0, {.client_id = "c", .version = ProtocolVersion::kMqtt311});
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.subscribe(old, "t", Qos::k1);
  cluster.hold_acceptances = true;
  cluster.publish(old, "t", "m", Qos::k1, 1);  // its own copy is open: a retry is due in 20 s
  cluster.lose(old);
  cluster.advance(Duration::seconds(25));
  EXPECT_EQ(cluster.counters(0).sessions_now, 1u);
  cluster.release_held();
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
}

TEST(Claims, AreGivenBackWithTheConnection) {
  TestCluster cluster;
  TestClient& one = cluster.connect(0, "live");
  TestClient& two = cluster.connect(0, durable("stored"));
  cluster.lose(one);
  EXPECT_EQ(cluster.hub_log.back(), "release live");
  cluster.lose(two);
  EXPECT_EQ(cluster.hub_log.back(), "release stored");
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
}

TEST(Claims, AConnectionThatIsGoneWhenItsClaimIsGrantedGivesItBack) {
  TestCluster cluster;
  TestClient& client = cluster.connect(0, "other");
  cluster.mail(0, ClaimAnswer{.conn = {77, 3}, .client_id = "gone"});
  EXPECT_EQ(cluster.hub_log.back(), "release gone");
  EXPECT_FALSE(client.closed);
}

// Or to whoever of this worker has the id, let in or not.
TEST(Claims, AConnectionThatIsGoneWhenItsClaimIsGrantedLeavesItToTheOneThatIsHere) {
  for (const bool is_let_in : {true, false}) {
    TestCluster cluster;
    cluster.store().holds_commits = !is_let_in;
    TestClient& client = cluster.open(0, durable("c"));
    const Stamp later{50, NodeId{1}};
    cluster.mail(0, ClaimAnswer{.conn = {77, 3}, .client_id = "c", .stamp = later});
    cluster.commit();
    EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00"));
    cluster.mail(0, Evict{"c", later, std::nullopt});
    EXPECT_TRUE(client.closed);
  }
}

TEST(Claims, RefusalsAreTold) {
  struct Row {
    ClaimAnswer::Outcome outcome;
    ProtocolVersion version;
    std::vector<std::string> told;
  };
  const Row rows[] = {
      {ClaimAnswer::Outcome::kSuperseded,
       ProtocolVersion::kMqtt5,
       {"CONNACK 0x00", "DISCONNECT 0x8e"}},
      {ClaimAnswer::Outcome::kSuperseded, ProtocolVersion::kMqtt311, {}},
      {ClaimAnswer::Outcome::kUnavailable, ProtocolVersion::kMqtt5, {"CONNACK 0x88"}},
      {ClaimAnswer::Outcome::kUnavailable, ProtocolVersion::kMqtt311, {"CONNACK 0x88"}},
      {ClaimAnswer::Outcome::kLeft, ProtocolVersion::kMqtt5, {"CONNACK 0x88"}},
  };
  for (const Row& row : rows) {
    Broker broker({}, 1);
    const Now now{Instant{1'000'000'000}, 0};
    TestClient client;
    client.version = row.version;
    client.conn = broker.on_accept({}, now);
    std::vector<uint8_t> bytes;
    Connect connect;
    connect.version = row.version;
    connect.client_id = "c";
    connect.clean_start = true;
    encode_to(bytes, connect, row.version);
    broker.on_bytes(client.conn, bytes, now);
    broker.on_credentials(client.conn, {}, now);
    broker.on_mail(ClaimAnswer{.conn = client.conn, .client_id = "c", .outcome = row.outcome}, now);
    Effects& effects = broker.end_turn(now);
    ASSERT_EQ(effects.closes.size(), 1u);
    std::span<const uint8_t> pieces[4];
    const size_t count = broker.output(client.conn).gather(pieces);
    for (size_t i = 0; i < count; ++i) {
      client.received.insert(client.received.end(), pieces[i].begin(), pieces[i].end());
    }
    EXPECT_EQ(client.take(), row.told);
  }
}

TEST(Claims, AnEvictionOfAnotherClaimChangesNothing) {
  TestCluster cluster;
  TestClient& client = cluster.connect(0, "c");
  cluster.mail(0, Evict{"c", Stamp{999, NodeId{9}}, std::nullopt});
  EXPECT_FALSE(client.closed);
  EXPECT_EQ(cluster.hub_log.back(), "evicted c");
}

TEST(Claims, AllCloseEndsConnections) {
  TestCluster cluster;
  TestClient& live = cluster.connect(0, "live");
  TestClient& stored = cluster.connect(0, durable("stored"));
  cluster.mail(0, AllClose{});
  EXPECT_TRUE(live.closed);
  EXPECT_TRUE(stored.closed);
  EXPECT_EQ(cluster.all_closed, 1u);
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
}

}  // namespace
}  // namespace shoal::test
