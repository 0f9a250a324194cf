// SUBSCRIBE and UNSUBSCRIBE of durable sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// For the store, the routes and the lease.
TEST(StoredSubscribe, SubackWaitsForAll) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.store().holds_commits = true;
  cluster.subscribe(client, "store", Qos::k1, 1);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.commit();
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x01"));
  cluster.hold_routes = true;
  cluster.subscribe(client, "routes", Qos::k1, 2);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.hold_routes = false;
  cluster.mail(0, RoutesSynced{100});
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 2 0x01"));
  cluster.set_lease(false);
  cluster.subscribe(client, "lease", Qos::k1, 3);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.set_lease(true);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 3 0x01"));
}

// Those of other clients do not wait for a shard without a leader.
TEST(StoredSubscribe, HoldsUpNobodyElse) {
  TestCluster cluster;
  TestClient& stored = cluster.connect(0, durable("c"));
  TestClient& live = cluster.connect(0, "live");
  cluster.store().holds_commits = true;
  cluster.subscribe(stored, "t", Qos::k1);
  cluster.subscribe(live, "t", Qos::k1);
  EXPECT_THAT(live.take(), ElementsAre("SUBACK 1 0x01"));
  EXPECT_THAT(stored.take(), IsEmpty());
}

TEST(StoredSubscribe, AllFiltersAreTheStores) {
  TestCluster cluster;
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "plain", Qos::k0, 1, nullptr, 9);
  cluster.subscribe(client, "$share/g/t", Qos::k2, 2,
                    [](SubscriptionRequest& r) { r.retain_as_published = true; });
  cluster.lose(client);
  EXPECT_EQ(cluster.store().session("c")->subscriptions, 2u);
  TestClient& again = cluster.connect(0, durable("c"));
  std::vector<std::string> filters;
  cluster.broker(0).for_each_subscription("c", [&](std::string_view, std::string_view filter,
                                                   const SubscriptionOptions& options) {
    filters.push_back(std::string(filter) + " " + std::to_string(static_cast<int>(options.qos)) +
                      " " + std::to_string(options.identifier) +
                      (options.retain_as_published ? " retain" : ""));
  });
  EXPECT_THAT(filters, testing::UnorderedElementsAre("plain 0 9", "$share/g/t 2 0 retain"));
  cluster.unsubscribe(again, "plain", 3);
  cluster.unsubscribe(again, "$share/g/t", 4);
  EXPECT_THAT(again.take(), ElementsAre("UNSUBACK 3 0x00", "UNSUBACK 4 0x00"));
  EXPECT_EQ(cluster.store().session("c")->subscriptions, 0u);
}

TEST(StoredSubscribe, UnsubackWaitsForTheStore) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  cluster.store().holds_commits = true;
  cluster.unsubscribe(client, "t", 2);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.commit();
  EXPECT_THAT(client.take(), ElementsAre("UNSUBACK 2 0x00"));
  cluster.publish(publisher, "t", "x", Qos::k1, 1);
  cluster.publish(publisher, "t", "x", Qos::k0);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.store().holds_commits = true;  // nothing is changed by what was not there
  cluster.unsubscribe(client, "t", 3);
  EXPECT_THAT(client.take(), ElementsAre("UNSUBACK 3 0x11"));
}

TEST(StoredSubscribe, OverTheQuotaIsRefusedAndNothingIsChanged) {
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& client = cluster.connect(0, durable("c", version));
    cluster.subscribe(client, "old", Qos::k0, 1);
    cluster.subscribe(client, "$share/g/old", Qos::k1, 2);
    client.take();
    cluster.store().is_full = true;
    cluster.subscribe(client, "new", Qos::k1, 3);
    cluster.subscribe(client, "old", Qos::k2, 4);
    cluster.subscribe(client, "$share/g/old", Qos::k2, 5);
    cluster.subscribe(client, "$share/g/new", Qos::k2, 6);
    const std::string code = version == k5 ? " 0x97" : " 0x80";
    EXPECT_THAT(client.take(), ElementsAre("SUBACK 3" + code, "SUBACK 4" + code, "SUBACK 5" + code,
                                           "SUBACK 6" + code));
    cluster.store().is_full = false;
    std::vector<std::string> filters;
    cluster.broker(0).for_each_subscription("c", [&](std::string_view, std::string_view filter,
                                                     const SubscriptionOptions& options) {
      filters.push_back(std::string(filter) + " " + std::to_string(static_cast<int>(options.qos)));
    });
    EXPECT_THAT(filters, testing::UnorderedElementsAre("old 0", "$share/g/old 1"));
    cluster.publish(publisher, "old", "x", Qos::k2, 1);
    EXPECT_EQ(client.take().size(), 1u + 1u);  // live at QoS 0, and as a member
  }
}

TEST(StoredSubscribe, SubscriptionsOfASessionHaveALimit) {
  TestCluster::Options options;
  options.config.limits.subscriptions_max = 2;
  TestCluster cluster(options);
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "a", Qos::k1, 1);
  cluster.subscribe(client, "$share/g/b", Qos::k1, 2);
  cluster.subscribe(client, "c", Qos::k1, 3);
  cluster.subscribe(client, "$share/g/b", Qos::k2, 4);
  EXPECT_THAT(client.take(),
              ElementsAre("SUBACK 1 0x01", "SUBACK 2 0x01", "SUBACK 3 0x97", "SUBACK 4 0x02"));
}

// The path that delivers is never left before the other one has begun.
TEST(StoredSubscribe, ARaisedQosLosesNothingMeanwhile) {  // [MQTT5-3.8.4-4]
  for (const char* raised : {"t", "+"}) {  // the same filter, or another one that matches too
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& client = cluster.connect(0, durable("c"));
    cluster.subscribe(client, "t", Qos::k0);
    client.take();
    cluster.store().holds_commits = true;
    cluster.subscribe(client, raised, Qos::k1, 2);
    cluster.publish(publisher, "t", "meanwhile", Qos::k1, 1);
    EXPECT_THAT(take(client), ElementsAre("PUBLISH t meanwhile"));
    cluster.commit();
    EXPECT_THAT(take(client), ElementsAre("SUBACK 2 0x01"));
    cluster.publish(publisher, "t", "after", Qos::k1, 2);
    EXPECT_THAT(take(client), ElementsAre("PUBLISH t after q1"));
  }
}

// As long as no subscription at QoS 0 is there, nothing comes that way, not even for a moment.
TEST(StoredSubscribe, ANewQosIsNotServedTwice) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.store().holds_commits = true;
  cluster.subscribe(client, "t", Qos::k2);
  cluster.publish(publisher, "t", "meanwhile", Qos::k2, 1);
  EXPECT_THAT(client.take(), IsEmpty());
}

TEST(StoredSubscribe, ALoweredQosGoesLiveAtOnce) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  cluster.subscribe(client, "t", Qos::k0, 2);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 2 0x00"));
  cluster.publish(publisher, "t", "x", Qos::k1, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t x"));
  EXPECT_EQ(cluster.store().publishes.size(), 0u);
}

// Of packets that follow each other the last one decides.
TEST(StoredSubscribe, AnAnswerDoesNotUndoWhatCameLater) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k0);
  client.take();
  cluster.store().holds_commits = true;
  cluster.subscribe(client, "t", Qos::k1, 2);
  cluster.subscribe(client, "t", Qos::k0, 3);
  cluster.subscribe(client, "u", Qos::k1, 4);
  cluster.unsubscribe(client, "u", 5);
  cluster.commit();
  EXPECT_THAT(client.take(),
              ElementsAre("SUBACK 2 0x01", "SUBACK 3 0x00", "SUBACK 4 0x01", "UNSUBACK 5 0x00"));
  cluster.publish(publisher, "t", "x", Qos::k1, 1);
  cluster.publish(publisher, "u", "x", Qos::k1, 2);
  cluster.publish(publisher, "u", "x", Qos::k0);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t x"));
}

// One packet that names a filter twice: as if each had come alone [MQTT5-3.8.4-5].
TEST(StoredSubscribe, AFilterTwiceInOnePacket) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  std::vector<uint8_t> list;
  for (const Qos qos : {Qos::k0, Qos::k2}) {
    SubscriptionRequest request;
    request.filter = "t";
    request.qos = qos;
    append_subscription(request, list);
  }
  Subscribe packet;
  packet.packet_id = 1;
  packet.subscriptions = SubscriptionList::of_valid(list);
  cluster.send(client, packet);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x00 0x02"));
  cluster.publish(publisher, "t", "x", Qos::k2, 1);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH t x q2"));
}

// ---- retained messages ------------------------------------------------------------------------------------

void keep(TestCluster& cluster, TestClient& publisher, const char* topic, Qos qos) {
  cluster.publish(publisher, topic, topic, qos, qos == Qos::k0 ? 0 : 1,
                  [](Publish& p) { p.retain = true; });
  publisher.take();
}

TEST(StoredSubscribe, WhatIsUnsubscribedInTheMeantimeIsNotReplayed) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  keep(cluster, publisher, "r", Qos::k0);
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.store().holds_commits = true;
  cluster.subscribe(client, "r", Qos::k1, 1);
  cluster.unsubscribe(client, "r", 2);
  cluster.commit();
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x01", "UNSUBACK 2 0x00"));
}

// At QoS 0 by the worker, the others by the store; each once.
TEST(StoredSubscribe, RetainedMessagesComeByBothPaths) {  // [MQTT5-3.3.1-9]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const char* topic : {"r/a", "r/b", "r/c"}) keep(cluster, publisher, topic, Qos::k1);
  keep(cluster, publisher, "r/zero", Qos::k0);
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "r/#", Qos::k2);
  EXPECT_THAT(take(client),
              testing::UnorderedElementsAre(
                  "SUBACK 1 0x02", "PUBLISH r/a r/a q1 retain", "PUBLISH r/b r/b q1 retain",
                  "PUBLISH r/c r/c q1 retain", "PUBLISH r/zero r/zero retain"));
  TestClient& at_0 = cluster.connect(0, durable("d"));
  cluster.subscribe(at_0, "r/#", Qos::k0);
  EXPECT_THAT(take(at_0),
              ElementsAre("SUBACK 1 0x00", "PUBLISH r/a r/a retain", "PUBLISH r/b r/b retain",
                          "PUBLISH r/c r/c retain", "PUBLISH r/zero r/zero retain"));
}

TEST(StoredSubscribe, RetainHandling) {  // [MQTT5-3.3.1-10] [MQTT5-3.3.1-11]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  keep(cluster, publisher, "r", Qos::k1);
  TestClient& client = cluster.connect(0, durable("c"));
  uint16_t packet_id = 0;
  const auto subscribe = [&](const char* filter, uint8_t handling) {
    cluster.subscribe(client, filter, Qos::k1, ++packet_id,
                      [handling](SubscriptionRequest& r) { r.retain_handling = handling; });
    return take(client).size() - 1;
  };
  EXPECT_EQ(subscribe("r", 2), 0u);
  EXPECT_EQ(subscribe("r", 1), 0u);  // it is not new
  EXPECT_EQ(subscribe("r", 0), 1u);
  EXPECT_EQ(subscribe("+", 1), 1u);
  EXPECT_EQ(subscribe("$share/g/r", 0), 0u);
}

// What the store has meanwhile is newer than what the worker is about to send at QoS 0.
TEST(StoredSubscribe, AnOlderRetainedMessageDoesNotComeAfterANewerOne) {
  TestCluster::Options options = {.nodes = 2, .workers = 1, .config = {}};
  options.config.limits.output_bytes_low = 500;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(1, "publisher");
  const auto retained = [](Publish& p) { p.retain = true; };
  cluster.publish(publisher, "r/a", payload_of(800), Qos::k0, 0, retained);
  cluster.publish(publisher, "r/b", "older", Qos::k0, 0, retained);
  TestClient& client = cluster.connect(0, durable("c"));
  client.reads = false;
  cluster.subscribe(client, "r/+", Qos::k1);
  cluster.publish(publisher, "r/b", "newer", Qos::k1, 1, retained);
  cluster.read_again(client);
  EXPECT_THAT(take(client), ElementsAre("SUBACK 1 0x01", "PUBLISH r/a <800 bytes> retain",
                                        "PUBLISH r/b newer q1"));
}

}  // namespace
}  // namespace shoal::test
