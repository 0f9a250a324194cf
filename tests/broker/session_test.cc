// What a session keeps while it is connected, and how long it lasts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Session, EndsWithItsConnectionWhenClean) {  // [MQTT311-3.1.2-6] [MQTT5-4.1.0-2]
  for (const auto version : {ProtocolVersion::kMqtt311, ProtocolVersion::kMqtt5}) {
    TestCluster cluster;
    TestClient& first = cluster.connect(0, {.client_id = "c", .version = version});
    cluster.subscribe(first, "t", Qos::k1);
    cluster.lose(first);
    EXPECT_EQ(cluster.counters(0).sessions_now, 0u);
    TestClient& again = cluster.open(0, durable("c", version));
    EXPECT_EQ(again.take().front(), "CONNACK 0x00");  // [MQTT5-3.1.2-6] [MQTT311-3.2.2-3]
  }
}

TEST(Session, Redelivery3xWhileConnected5xNot) {  // [MQTT5-4.4.0-1]
  for (const auto version : {ProtocolVersion::kMqtt311, ProtocolVersion::kMqtt5}) {
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& client = cluster.connect(0, {.client_id = "c", .version = version});
    cluster.subscribe(client, "t", Qos::k2);
    cluster.publish(publisher, "t", "1", Qos::k1, 1);
    cluster.publish(publisher, "t", "2", Qos::k2, 2);
    client.take();
    cluster.ack(client, PacketType::kPubRec, 2);
    client.take();
    cluster.advance(Duration::seconds(19));
    EXPECT_THAT(client.take(), IsEmpty());
    cluster.advance(Duration::seconds(2));
    if (version == ProtocolVersion::kMqtt5) {
      EXPECT_THAT(client.take(), IsEmpty());
      continue;
    }
    EXPECT_THAT(client.take(), ElementsAre("PUBLISH t 1 q1 id1 dup", "PUBREL 2"));
    cluster.ack(client, PacketType::kPubAck, 1);
    cluster.ack(client, PacketType::kPubComp, 2);
    cluster.advance(Duration::seconds(60));
    EXPECT_THAT(client.take(), IsEmpty());
  }
}

TEST(Session, ExpiryCanBeLoweredButNotRaisedFromZeroAtDisconnect) {
  TestCluster cluster;
  TestClient& lowers = cluster.connect(0, durable("lowers"));
  Disconnect to_zero;
  to_zero.session_expiry_s = 0;
  cluster.send(lowers, to_zero);
  EXPECT_FALSE(cluster.store().session("lowers"));
  TestClient& raises = cluster.connect(0, "raises");
  Disconnect to_ten;
  to_ten.session_expiry_s = 10;
  cluster.send(raises, to_ten);
  EXPECT_THAT(raises.take(), ElementsAre("DISCONNECT 0x82"));
}

TEST(Session, WhoAskedForASessionMaySayMoreThanItWasGranted) {
  TestCluster::Options options;
  options.config.limits.session_expiry_max_s = 0;
  TestCluster cluster(options);
  TestClient& client = cluster.connect(0, durable("c"));
  Disconnect packet;
  packet.session_expiry_s = 10;
  cluster.send(client, packet);
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_FALSE(cluster.store().session("c"));
}

TEST(Session, ExpiryAboveTheMaximumIsToldAndKept) {
  TestCluster::Options options;
  options.config.limits.session_expiry_max_s = 60;
  TestCluster cluster(options);
  TestClient& client = cluster.open(0, durable("c"));
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00 expiry=60"));
  cluster.lose(client);
  cluster.advance(Duration::seconds(59));
  EXPECT_TRUE(cluster.store().session("c"));
  cluster.advance(Duration::seconds(2));
  EXPECT_FALSE(cluster.store().session("c"));
}

TEST(Session, Qos2FromTheClientIsDeliveredOnce) {
  // [MQTT5-4.3.3-10] [MQTT311-4.3.3-2] [MQTT5-4.3.3-12] [MQTT311-2.3.1-3]
  TestCluster cluster;
  TestClient& subscriber = cluster.connect(0, "subscriber");
  cluster.subscribe(subscriber, "t", Qos::k0);
  subscriber.take();
  TestClient& client = cluster.connect(0, "c");
  cluster.publish(client, "t", "once", Qos::k2, 7);
  EXPECT_THAT(client.take(), ElementsAre("PUBREC 7"));
  cluster.publish(client, "t", "once", Qos::k2, 7, [](Publish& p) { p.dup = true; });
  EXPECT_THAT(client.take(), ElementsAre("PUBREC 7"));
  cluster.ack(client, PacketType::kPubRel, 7);
  cluster.ack(client, PacketType::kPubRel, 7);
  EXPECT_THAT(client.take(), ElementsAre("PUBCOMP 7", "PUBCOMP 7 0x92"));  // [MQTT5-3.7.2-1]
  EXPECT_THAT(subscriber.take(), ElementsAre("PUBLISH t once"));
  cluster.publish(client, "t", "new", Qos::k2, 7);
  EXPECT_THAT(subscriber.take(), ElementsAre("PUBLISH t new"));
}

TEST(Session, ALiveOneOverItsLimitSlowsThePublisherAndIsNeverSkipped) {
  TestCluster::Options options;
  options.nodes = 2;
  options.config.limits.queued_max = 2;
  options.config.limits.inflight_max = 1;
  TestCluster cluster(options);
  TestClient& near = cluster.connect(0, "near");
  TestClient& far = cluster.connect(1, "far");
  TestClient& slow = cluster.connect(0, "slow");
  cluster.subscribe(slow, "t", Qos::k1);
  slow.take();
  for (uint16_t i = 1; i <= 4; ++i) {
    cluster.publish(i % 2 ? near : far, "t", std::to_string(i), Qos::k1, i);
  }
  // 1 is in flight, 2 and 3 are queued, 4 waits for room.
  EXPECT_THAT(near.take(), ElementsAre("PUBACK 1", "PUBACK 3"));
  EXPECT_THAT(far.take(), ElementsAre("PUBACK 2"));
  EXPECT_THAT(slow.take(), ElementsAre("PUBLISH t 1 q1 id1"));
  cluster.ack(slow, PacketType::kPubAck, 1);
  EXPECT_THAT(far.take(), ElementsAre("PUBACK 4"));
  for (uint16_t i = 2; i <= 4; ++i) cluster.ack(slow, PacketType::kPubAck, i);
  EXPECT_THAT(slow.take(),
              ElementsAre("PUBLISH t 2 q1 id2", "PUBLISH t 3 q1 id3", "PUBLISH t 4 q1 id4"));
}

// And before the publisher that waits for it is given up.
TEST(Session, ALiveOneOverItsLimitForSlowTimeoutIsDisconnected) {
  TestCluster::Options options;
  options.config.limits.queued_max = 1;
  options.config.limits.inflight_max = 1;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& slow = cluster.connect(0, "slow");
  cluster.subscribe(slow, "t", Qos::k1);
  slow.take();
  for (uint16_t i = 1; i <= 3; ++i) cluster.publish(publisher, "t", "m", Qos::k1, i);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBACK 2"));
  cluster.advance(Duration::seconds(14));
  EXPECT_FALSE(slow.closed);
  cluster.advance(Duration::seconds(2));
  EXPECT_THAT(slow.take(), ElementsAre("PUBLISH t m q1 id1", "DISCONNECT 0x97"));
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 3"));
  cluster.advance(Duration::seconds(20));
  EXPECT_FALSE(publisher.closed);
}

TEST(Session, Qos0IsDroppedForAClientThatDoesNotRead) {
  TestCluster::Options options;
  options.config.limits.output_bytes_max = 1000;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& slow = cluster.connect(0, "slow");
  cluster.subscribe(slow, "t", Qos::k0);
  slow.take();
  slow.reads = false;
  for (int i = 0; i < 20; ++i) cluster.publish(publisher, "t", payload_of(100), Qos::k0);
  EXPECT_EQ(cluster.dropped(DropReason::kOutputFull), 10u);
  cluster.read_again(slow);
  EXPECT_EQ(slow.take().size(), 10u);
}

TEST(Session, TheQueueGoesOnWhenTheOutputHasRoom) {
  TestCluster::Options options;
  options.config.limits.output_bytes_low = 500;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& slow = cluster.connect(0, "slow");
  cluster.subscribe(slow, "t", Qos::k1);
  slow.take();
  slow.reads = false;
  for (uint16_t i = 1; i <= 20; ++i) {
    cluster.publish(publisher, "t", payload_of(100), Qos::k1, i);
  }
  EXPECT_EQ(cluster.counters(0).queued_now, 15u);
  cluster.read_again(slow);
  EXPECT_EQ(slow.take().size(), 20u);
  EXPECT_EQ(cluster.counters(0).queued_now, 0u);
}

}  // namespace
}  // namespace shoal::test
