// Durable sessions from CONNECT to the end of their connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Durable, EveryConnectAsksTheStore) {
  TestCluster cluster;
  TestClient& live =
      cluster.open(0, {.client_id = "live", .edit = [](Connect& c) { c.receive_maximum = 7; }});
  EXPECT_THAT(live.take(), ElementsAre("CONNACK 0x00"));
  cluster.open(0, durable("stored", k5, [](Connect& c) { c.user_name = "u"; }));
  const auto& connects = cluster.store().connects;
  ASSERT_EQ(connects.size(), 2u);
  EXPECT_EQ(connects[0].receive_maximum, 7u);
  EXPECT_EQ(connects[0].expiry_s, 0u);
  EXPECT_TRUE(connects[0].clean_start);
  EXPECT_EQ(connects[1].receive_maximum, Limits{}.inflight_max);
  EXPECT_EQ(connects[1].expiry_s, 1000u);
  EXPECT_FALSE(connects[1].clean_start);
  EXPECT_EQ(connects[1].user, "u");
  EXPECT_FALSE(cluster.store().session("live"));
  EXPECT_TRUE(cluster.store().session("stored")->attached);
}

TEST(Durable, ALiveSessionLeavesNothing) {
  TestCluster cluster;
  TestClient& live = cluster.connect(0, "live");
  cluster.subscribe(live, "t", Qos::k1);
  EXPECT_EQ(cluster.store().seen["subscribe"], 0u);
  cluster.lose(live);
  EXPECT_EQ(cluster.store().seen["detach"], 0u);
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
  EXPECT_EQ(cluster.hub_log.back(), "release live");
}

// [MQTT5-3.1.2-5] [MQTT311-3.1.2-4] [MQTT311-3.1.2-5] [MQTT5-3.2.2-3] [MQTT311-3.2.2-2]
TEST(Durable, GoesOnWhereverItsClientComesBack) {
  for (const auto version : {k311, k5}) {
    for (const size_t next : {0u, 1u, 2u}) {  // the same worker, another one, another node
      TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
      TestClient& publisher = cluster.connect(3, "publisher");
      TestClient& first = cluster.connect(0, durable("c", version));
      cluster.subscribe(first, "t", Qos::k2);
      EXPECT_THAT(first.take(), ElementsAre("SUBACK 1 0x02"));
      cluster.lose(first);
      EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
      EXPECT_EQ(cluster.hub_log.back(), "release c");
      cluster.publish(publisher, "t", "one", Qos::k1, 1);
      cluster.publish(publisher, "t", "zero", Qos::k0);
      cluster.publish(publisher, "t", "two", Qos::k2, 2);
      EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBREC 2"));
      TestClient& again = cluster.open(next, durable("c", version));
      EXPECT_THAT(take(again),
                  ElementsAre("CONNACK 0x00 present", "PUBLISH t one q1", "PUBLISH t two q2"));
      cluster.publish(publisher, "t", "live", Qos::k0);
      cluster.publish(publisher, "t", "three", Qos::k1, 3);
      EXPECT_THAT(take(again), ElementsAre("PUBLISH t live", "PUBLISH t three q1"));
    }
  }
}

TEST(Durable, ConnackWaitsForTheStore) {
  TestCluster cluster;
  cluster.store().holds_commits = true;
  TestClient& client = cluster.open(0, durable("c"));
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.commit();
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00"));
}

TEST(Durable, WithoutAnAnswerTheClientIsSentAway) {
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    cluster.store().holds_commits = true;
    TestClient& client = cluster.open(0, durable("c", version));
    cluster.advance(Limits{}.publish_timeout - Duration::seconds(1));
    EXPECT_FALSE(client.closed);
    cluster.advance(Duration::seconds(2));
    EXPECT_TRUE(client.closed);
    EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x88"));
    EXPECT_EQ(cluster.store().seen["withdraw"], 1u);
    EXPECT_EQ(cluster.hub_log.back(), "release c");
    EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
    cluster.commit();
    EXPECT_FALSE(cluster.store().session("c"));
  }
}

// The answer and the withdrawal cross: the worker detaches what it never had.
TEST(Durable, AnAnswerThatNobodyWaitsForIsDetached) {
  TestCluster cluster;
  cluster.store().holds_answers = true;
  TestClient& client =
      cluster.open(0, durable("c", k5, [](Connect& c) { c.will.emplace().topic = "w"; }));
  cluster.lose(client);
  ASSERT_TRUE(cluster.store().session("c")->attached);
  cluster.commit();
  EXPECT_FALSE(cluster.store().session("c")->attached);
  EXPECT_FALSE(cluster.store().session("c")->will);  // it was never let in
}

// As a SUBACK does: what is published after CONNACK reaches it at QoS 0 too.
TEST(Durable, ConnackOfAResumedSessionWaitsForItsRoutes) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(1, "publisher");
  TestClient& first = cluster.connect(0, durable("c"));
  cluster.subscribe(first, "t", Qos::k1);
  cluster.lose(first);
  cluster.publish(publisher, "t", "early", Qos::k1, 1);
  cluster.hold_routes = true;
  TestClient& again = cluster.open(0, durable("c"));
  EXPECT_THAT(again.take(), IsEmpty());
  cluster.set_lease(false);
  cluster.hold_routes = false;
  cluster.mail(0, RoutesSynced{100});
  EXPECT_THAT(again.take(), IsEmpty());
  cluster.set_lease(true);
  EXPECT_THAT(take(again), ElementsAre("CONNACK 0x00 present", "PUBLISH t early q1"));
}

TEST(Durable, AConnectionThatGoesWhileItsRoutesAreToldIsDetached) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& first = cluster.connect(0, durable("c"));
  cluster.subscribe(first, "t", Qos::k1);
  cluster.lose(first);
  cluster.hold_routes = true;
  TestClient& again = cluster.open(0, durable("c"));
  cluster.lose(again);
  EXPECT_FALSE(cluster.store().session("c")->attached);
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
  EXPECT_EQ(cluster.hub_log.back(), "release c");
}

TEST(Durable, AnotherUserIsRefused) {
  for (const auto version : {k311, k5}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    const auto as = [&](const char* user) {
      return durable("c", version, [user](Connect& c) { c.user_name = user; });
    };
    TestClient& first = cluster.connect(0, as("one"));
    cluster.subscribe(first, "t", Qos::k1);
    cluster.lose(first);
    TestClient& other = cluster.open(1, as("two"));
    EXPECT_THAT(other.take(), ElementsAre("CONNACK 0x87"));
    EXPECT_TRUE(other.closed);
    EXPECT_EQ(cluster.store().seen["withdraw"], 0u);
    EXPECT_EQ(cluster.hub_log.back(), "release c");
    EXPECT_THAT(cluster.open(1, as("one")).take(), ElementsAre("CONNACK 0x00 present"));
  }
}

TEST(Durable, WhoIsRefusedForItsUserThrowsNobodyOut) {
  for (const size_t where : {0u, 1u, 2u}) {         // the same worker, another one, another node
    for (const bool has_session : {true, false}) {  // or only a will is stored
      TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
      const auto as = [&](const char* user) {
        return durable("c", k5, [user, has_session](Connect& c) {
          c.user_name = user;
          if (has_session) return;
          c.session_expiry_s = 0;
          c.will.emplace().topic = "w";
        });
      };
      TestClient& here = cluster.connect(0, as("one"));
      cluster.subscribe(here, "t", Qos::k1);
      here.take();
      TestClient& other = cluster.open(where, as("two"));
      EXPECT_THAT(other.take(), ElementsAre("CONNACK 0x87"));
      EXPECT_TRUE(other.closed);
      EXPECT_FALSE(here.closed);
      TestClient& publisher = cluster.connect(3, "publisher");
      cluster.publish(publisher, "t", "m", Qos::k1, 1);
      EXPECT_THAT(take(here), ElementsAre("PUBLISH t m q1"));
      EXPECT_THAT(cluster.open(where, as("one")).take()[0], ::testing::StartsWith("CONNACK 0x00"));
      EXPECT_THAT(here.take(), ElementsAre("DISCONNECT 0x8e"));
    }
  }
}

// A session that nothing is stored of belongs to whoever has the client id.
TEST(Durable, ALiveSessionIsTakenOverByAnotherUser) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  const auto as = [](const char* user) {
    return ConnectOptions{.client_id = "c", .edit = [user](Connect& c) { c.user_name = user; }};
  };
  TestClient& here = cluster.connect(0, as("one"));
  EXPECT_THAT(cluster.open(1, as("two")).take(), ElementsAre("CONNACK 0x00"));
  EXPECT_THAT(here.take(), ElementsAre("DISCONNECT 0x8e"));
}

TEST(Durable, ALaterConnectionOfTheIdMayHaveWon) {
  TestCluster cluster;
  cluster.store().holds_answers = true;
  TestClient& client = cluster.open(0, durable("c"));
  SessionAttached answer;
  answer.conn = client.conn;
  answer.client_id = "c";
  answer.outcome = SessionAttached::Outcome::kSuperseded;
  cluster.mail(0, FromStore(answer));
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x89"));
  EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
}

TEST(Durable, CleanStartEndsAStoredSession) {  // [MQTT5-3.1.2-4] [MQTT311-3.1.2-6]
  for (const auto version : {k311, k5}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& first = cluster.connect(0, durable("c", version));
    cluster.subscribe(first, "t", Qos::k1);
    cluster.lose(first);
    cluster.publish(publisher, "t", "gone", Qos::k1, 1);
    TestClient& clean = cluster.open(1, {.client_id = "c", .version = version});
    EXPECT_THAT(clean.take(), ElementsAre("CONNACK 0x00"));  // [MQTT5-3.2.2-2] [MQTT311-3.2.2-1]
    cluster.publish(publisher, "t", "not for it", Qos::k1, 2);
    EXPECT_THAT(clean.take(), IsEmpty());
    cluster.lose(clean);
    EXPECT_FALSE(cluster.store().session("c"));
    EXPECT_THAT(cluster.open(0, durable("c", version)).take(), ElementsAre("CONNACK 0x00"));
  }
}

// Session Expiry Interval 0 on a connection that goes on with a session: durable until it ends.
TEST(Durable, ASessionThatGoesOnForALastTimeIsStillTheStores) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& first = cluster.connect(0, durable("c"));
  cluster.subscribe(first, "t", Qos::k1);
  cluster.lose(first);
  TestClient& last = cluster.open(0, {.client_id = "c", .clean_start = false});
  EXPECT_THAT(last.take(), ElementsAre("CONNACK 0x00 present"));
  cluster.publish(publisher, "t", "a", Qos::k1, 1);
  EXPECT_THAT(take(last), ElementsAre("PUBLISH t a q1"));
  cluster.lose(last);
  EXPECT_FALSE(cluster.store().session("c"));
}

// ---- for people ----------------------------------------------------------------------------------------

TEST(Durable, IsListedWhileItIsConnected) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client =
      cluster.connect(0, durable("c", k5, [](Connect& c) { c.receive_maximum = 2; }));
  cluster.subscribe(client, "t", Qos::k1, 1);
  cluster.subscribe(client, "$share/g/s", Qos::k2, 2);
  for (uint16_t i = 1; i <= 5; ++i) cluster.publish(publisher, "t", "x", Qos::k1, i);
  const auto look = [&](const std::function<void(const SessionInfo&)>& check) {
    size_t found = 0;
    cluster.broker(0).for_each_session([&](const SessionInfo& info) {
      if (info.client_id != "c") return;
      ++found;
      check(info);
    });
    return found;
  };
  EXPECT_EQ(look([](const SessionInfo& info) {
              EXPECT_EQ(info.subscriptions, 2u);
              EXPECT_EQ(info.inflight, 2u);
              EXPECT_EQ(info.queued, 3u);
            }),
            1u);
  std::vector<std::string> filters;
  cluster.broker(0).for_each_subscription("c", [&](std::string_view, std::string_view filter,
                                                   const SubscriptionOptions& options) {
    filters.push_back(std::string(filter) + " " + std::to_string(static_cast<int>(options.qos)));
  });
  EXPECT_THAT(filters, testing::UnorderedElementsAre("t 1", "$share/g/s 2"));
  cluster.lose(client);
  EXPECT_EQ(look([](const SessionInfo&) {}), 0u);
}

TEST(Durable, IsNotListedBeforeItIsLetIn) {
  TestCluster cluster;
  cluster.store().holds_commits = true;
  cluster.open(0, durable("c"));
  size_t sessions = 0;
  cluster.broker(0).for_each_session([&](const SessionInfo&) { ++sessions; });
  EXPECT_EQ(sessions, 0u);
}

}  // namespace
}  // namespace shoal::test
