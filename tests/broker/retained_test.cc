// Retained messages and what a new subscription brings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void retain(Publish& p) { p.retain = true; }

TEST(Retained, ReachesNewSubscriptionsOnEveryNode) {
  // [MQTT5-3.3.1-5] [MQTT5-3.3.1-9] [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-8]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (int i = 1; i <= 5; ++i) {
    cluster.publish(publisher, "t/" + std::to_string(i), "old", Qos::k1, 1, retain);
  }
  cluster.publish(publisher, "t/5", "new", Qos::k0, 0, retain);  // [MQTT311-3.3.1-7]
  cluster.publish(publisher, "t/1", "live", Qos::k0);         // [MQTT5-3.3.1-8] [MQTT311-3.3.1-12]
  cluster.publish(publisher, "t/4", "", Qos::k0, 0, retain);  // [MQTT5-3.3.1-6] [MQTT311-3.3.1-10]
  for (const auto version : {ProtocolVersion::kMqtt5, ProtocolVersion::kMqtt311}) {
    TestClient& far = cluster.connect(1, {.client_id = "far", .version = version});
    cluster.subscribe(far, "t/+", Qos::k1);
    EXPECT_THAT(far.take(), ElementsAre("SUBACK 1 0x01", "PUBLISH t/1 old q1 id1 retain",
                                        "PUBLISH t/2 old q1 id2 retain",
                                        "PUBLISH t/3 old q1 id3 retain", "PUBLISH t/5 new retain"));
  }
}

TEST(Retained, AcknowledgementWaitsUntilItIsStored) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  cluster.hold_retained = true;
  cluster.publish(publisher, "t", "m", Qos::k1, 1, retain);
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.mail(0, RetainDone{1});
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
}

TEST(Retained, RetainHandling) {  // [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11]
  struct Row {
    uint8_t handling;
    bool first, again;  // sent with the first subscription, with the second
  };
  for (const Row& row : {Row{0, true, true}, Row{1, true, false}, Row{2, false, false}}) {
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, "publisher");
    cluster.publish(publisher, "t", "m", Qos::k0, 0, retain);
    TestClient& client = cluster.connect(0, "client");
    const auto edit = [&](SubscriptionRequest& r) { r.retain_handling = row.handling; };
    for (const bool sent : {row.first, row.again}) {
      cluster.subscribe(client, "t", Qos::k0, 1, edit);
      if (sent) {  // [MQTT5-3.8.4-4] [MQTT311-3.8.4-3]
        EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x00", "PUBLISH t m retain"));
      } else {
        EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x00"));
      }
    }
  }
}

TEST(Retained, LiveMessagesShowRetainOnlyAsPublished) {
  // [MQTT5-3.3.1-12] [MQTT5-3.3.1-13] [MQTT311-3.3.1-9]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const size_t where : {0u, 1u}) {
    TestClient& plain = cluster.connect(where, "plain" + std::to_string(where));
    TestClient& kept = cluster.connect(where, "kept" + std::to_string(where));
    cluster.subscribe(plain, "t", Qos::k0);
    cluster.subscribe(kept, "t", Qos::k0, 1, [](SubscriptionRequest& r) {
      r.retain_as_published = true;
      r.retain_handling = 2;
    });
    plain.take();
    kept.take();
    cluster.publish(publisher, "t", "r", Qos::k0, 0, retain);
    cluster.publish(publisher, "t", "n", Qos::k0);
    cluster.publish(publisher, "t", "", Qos::k0, 0, retain);
    EXPECT_THAT(plain.take(), ElementsAre("PUBLISH t r", "PUBLISH t n", "PUBLISH t "));
    EXPECT_THAT(kept.take(), ElementsAre("PUBLISH t r retain", "PUBLISH t n", "PUBLISH t  retain"));
  }
}

TEST(Retained, GoesOutAsFastAsTheClientReads) {
  TestCluster::Options options;
  options.config.limits.output_bytes_low = 300;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  for (int i = 0; i < 50; ++i) {
    cluster.publish(publisher, "t/" + std::to_string(i), payload_of(100), Qos::k0, 0, retain);
  }
  TestClient& slow = cluster.connect(0, "slow");
  slow.reads = false;
  cluster.subscribe(slow, "t/#", Qos::k0);
  EXPECT_LT(cluster.broker(0).output(slow.conn).bytes(), 500u);
  cluster.read_again(slow);
  EXPECT_EQ(slow.take().size(), 51u);
}

TEST(Retained, GoesOutAsFastAsTheClientAcknowledges) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  for (uint16_t i = 1; i <= 9; ++i) {
    cluster.publish(publisher, "t/" + std::to_string(i), "m", Qos::k1, 1, retain);
  }
  TestClient& client =
      cluster.connect(0, {.client_id = "c", .edit = [](Connect& c) { c.receive_maximum = 2; }});
  cluster.subscribe(client, "t/#", Qos::k1);
  EXPECT_EQ(client.take().size(), 3u);
  for (uint16_t id = 1; id <= 7; ++id) {
    cluster.ack(client, PacketType::kPubAck, id);
    EXPECT_EQ(client.take().size(), 1u) << id;
  }
}

TEST(Retained, UnsubscribeEndsTheReplay) {
  TestCluster::Options options;
  options.config.limits.output_bytes_low = 200;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  for (int i = 0; i < 9; ++i) {
    cluster.publish(publisher, "t/" + std::to_string(i), payload_of(200), Qos::k0, 0, retain);
  }
  TestClient& client = cluster.connect(0, "c");
  client.reads = false;
  cluster.subscribe(client, "t/#", Qos::k0);
  cluster.unsubscribe(client, "t/#", 2);
  cluster.read_again(client);
  const auto lines = client.take();
  EXPECT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines.back(), "UNSUBACK 2 0x00");
}

TEST(Retained, NoReplayForWhoUnsubscribedBeforeTheSuback) {  // [MQTT5-3.10.4-2] [MQTT311-3.10.4-2]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const char* topic : {"a", "b"}) {
    cluster.publish(publisher, topic, "m", Qos::k0, 0, [](Publish& p) { p.retain = true; });
  }
  TestClient& client = cluster.connect(0, "c");
  cluster.hold_routes = true;
  cluster.subscribe(client, "a", Qos::k0, 1);
  cluster.subscribe(client, "b", Qos::k0, 2);
  cluster.unsubscribe(client, "a", 3);
  cluster.mail(0, RoutesSynced{100});
  EXPECT_THAT(client.take(), ElementsAre("UNSUBACK 3 0x00", "SUBACK 1 0x00", "SUBACK 2 0x00",
                                         "PUBLISH b m retain"));
}

TEST(Retained, AStoredMessageNeverFollowsANewerLiveOne) {
  TestCluster cluster;
  cluster.portion = 1;
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const char* topic : {"t/1", "t/2"}) {
    cluster.publish(publisher, topic, "old", Qos::k1, 1, retain);
  }
  TestClient& client =
      cluster.connect(0, {.client_id = "c", .edit = [](Connect& c) { c.receive_maximum = 1; }});
  const auto as_published = [](SubscriptionRequest& r) { r.retain_as_published = true; };
  cluster.subscribe(client, "t/+", Qos::k1, 1, as_published);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x01", "PUBLISH t/1 old q1 id1 retain"));
  cluster.publish(publisher, "t/2", "new", Qos::k0, 0, retain);
  cluster.ack(client, PacketType::kPubAck, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t/2 new retain"));
}

TEST(Retained, SystemMessagesStayAtTheWorker) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& here = cluster.connect(0, "here");
  TestClient& there = cluster.connect(1, "there");
  for (TestClient* client : {&here, &there}) {
    cluster.subscribe(*client, "$SYS/#", Qos::k1, 1);
    cluster.subscribe(*client, "#", Qos::k1, 2);  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1]
    client->take();
  }
  cluster.on_broker(
      0, [&](Broker& broker) { broker.publish_system("$SYS/broker/uptime", "7", cluster.now()); });
  EXPECT_THAT(here.take(), ElementsAre("PUBLISH $SYS/broker/uptime 7"));
  EXPECT_THAT(there.take(), IsEmpty());
  TestClient& later = cluster.connect(0, "later");
  cluster.subscribe(later, "$SYS/broker/+", Qos::k0);
  EXPECT_THAT(later.take(), ElementsAre("SUBACK 1 0x00", "PUBLISH $SYS/broker/uptime 7 retain"));
}

}  // namespace
}  // namespace shoal::test
