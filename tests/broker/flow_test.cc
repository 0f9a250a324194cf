// What both sides may have open, how large packets may be, and topic aliases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Flow, TheClientsReceiveMaximumHolds) {
  // [MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client =
      cluster.connect(0, {.client_id = "c", .edit = [](Connect& c) { c.receive_maximum = 2; }});
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  for (uint16_t i = 1; i <= 4; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), i % 2 ? Qos::k1 : Qos::k2, i);
  }
  cluster.publish(publisher, "t", "zero", Qos::k0);  // [MQTT5-3.3.4-10] [MQTT5-4.9.0-3]
  cluster.send(client, PingReq{});
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t 1 q1 id1", "PUBLISH t 2 q2 id2",
                                         "PUBLISH t zero", "PINGRESP"));
  cluster.ack(client, PacketType::kPubRec, 2);
  EXPECT_THAT(client.take(), ElementsAre("PUBREL 2"));  // the quota comes with PUBCOMP
  cluster.ack(client, PacketType::kPubComp, 2);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t 3 q1 id3"));
  cluster.ack(client, PacketType::kPubAck, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t 4 q2 id4"));
}

TEST(Flow, ReceiveMaximumHoldsForWhatIsSentAgainToo) {  // [MQTT5-3.3.4-9] [MQTT5-4.4.0-1]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  const auto options = [](uint16_t receive_maximum) {
    return durable("c", ProtocolVersion::kMqtt5,
                   [receive_maximum](Connect& c) { c.receive_maximum = receive_maximum; });
  };
  TestClient& first = cluster.connect(0, options(10));
  cluster.subscribe(first, "t", Qos::k1);
  for (uint16_t i = 1; i <= 5; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), Qos::k1, i);
  }
  cluster.lose(first);
  cluster.publish(publisher, "t", "6", Qos::k1, 6);
  TestClient& again = cluster.connect(0, options(2));
  std::vector<uint16_t> ids;
  EXPECT_THAT(take(again, &ids), ElementsAre("PUBLISH t 1 q1 dup", "PUBLISH t 2 q1 dup"));
  for (uint16_t i = 0; i < 6; ++i) {
    cluster.ack(again, PacketType::kPubAck, static_cast<uint16_t>(ids[0] + i));
  }
  EXPECT_THAT(take(again), ElementsAre("PUBLISH t 3 q1 dup", "PUBLISH t 4 q1 dup",
                                       "PUBLISH t 5 q1 dup", "PUBLISH t 6 q1"));
}

TEST(Flow, OurReceiveMaximumHolds) {  // [MQTT5-3.3.4-7]
  for (const auto qos : {Qos::k1, Qos::k2}) {
    TestCluster::Options options;
    options.nodes = 2;
    options.config.limits.receive_maximum = 3;
    TestCluster cluster(options);
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& far = cluster.connect(1, "far");
    cluster.subscribe(far, "t", Qos::k1);
    cluster.hold_acceptances = true;
    for (uint16_t i = 1; i <= 3; ++i) cluster.publish(publisher, "t", "m", qos, i);
    EXPECT_THAT(publisher.take(), IsEmpty());
    cluster.publish(publisher, "t", "m", qos, 4);
    EXPECT_THAT(publisher.take(), ElementsAre("DISCONNECT 0x93"));
  }
}

TEST(Flow, AQos2PublishIsOpenUntilPubcomp) {
  TestCluster::Options options;
  options.config.limits.receive_maximum = 1;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  for (uint16_t i = 1; i <= 3; ++i) {
    cluster.publish(publisher, "t", "m", Qos::k2, i);
    cluster.ack(publisher, PacketType::kPubRel, i);
  }
  EXPECT_EQ(publisher.take().back(), "PUBCOMP 3");
  cluster.publish(publisher, "t", "m", Qos::k2, 4);
  cluster.publish(publisher, "t", "m", Qos::k2, 5);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 4", "DISCONNECT 0x93"));
}

TEST(Flow, A3xPublisherIsNotReadAboveTheBound) {
  TestCluster::Options options;
  options.nodes = 2;
  options.config.limits.receive_maximum = 3;
  TestCluster cluster(options);
  TestClient& publisher =
      cluster.connect(0, {.client_id = "p", .version = ProtocolVersion::kMqtt311});
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  far.take();
  cluster.hold_acceptances = true;
  for (uint16_t i = 1; i <= 5; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), Qos::k1, i);
  }
  EXPECT_TRUE(publisher.paused);
  EXPECT_EQ(far.take().size(), 3u);
  cluster.hold_acceptances = false;
  cluster.release_held();
  EXPECT_FALSE(publisher.paused);
  EXPECT_THAT(publisher.take(),
              ElementsAre("PUBACK 1", "PUBACK 2", "PUBACK 3", "PUBACK 4", "PUBACK 5"));
  EXPECT_EQ(far.take().size(), 2u);
}

TEST(Flow, PacketIdentifiersAreUniqueAmongThoseInFlight) {
  // [MQTT5-2.2.1-4] [MQTT5-4.3.2-1] [MQTT5-4.3.3-1] [MQTT311-2.3.1-4] [MQTT5-4.3.2-5]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, "c");
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  cluster.checks = false;
  cluster.publish(publisher, "t", "never acknowledged", Qos::k1, 1);
  uint16_t expected = 2;
  for (int i = 0; i < 66'000; ++i) {
    cluster.publish(publisher, "t", "m", Qos::k1, 1);
    for (const auto& frame : client.take_frames()) {
      const uint16_t id = static_cast<uint16_t>(frame[5] << 8 | frame[6]);
      if (id == 1) continue;
      ASSERT_EQ(id, expected);
      ++expected;
      cluster.ack(client, PacketType::kPubAck, id);
    }
    publisher.received.clear();
    if (expected == 65'535) break;
  }
  // Identifier 1 is in use: the window stands until it is free.
  cluster.publish(publisher, "t", "m", Qos::k1, 1);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.ack(client, PacketType::kPubAck, 1);
  EXPECT_FALSE(client.take().empty());
}

TEST(Flow, NothingLargerThanTheClientTakesIsSent) {  // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(
      0, {.client_id = "c", .edit = [](Connect& c) { c.maximum_packet_size = 60; }});
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  for (uint16_t i = 0; i <= 2; ++i) {
    cluster.publish(publisher, "t", payload_of(100), static_cast<Qos>(i), i);
    cluster.publish(publisher, "t", "small", static_cast<Qos>(i), i == 0 ? 0 : i + 10);
  }
  EXPECT_THAT(client.take(),
              ElementsAre("PUBLISH t small", "PUBLISH t small q1 id1", "PUBLISH t small q2 id2"));
  EXPECT_EQ(cluster.dropped(DropReason::kPacketTooLarge), 3u);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBACK 11", "PUBREC 2", "PUBREC 12"));
}

TEST(Flow, APacketAboveOurMaximumIsRefused) {  // [MQTT5-3.2.2-15]
  TestCluster::Options options;
  options.config.limits.packet_size_max = 100;
  TestCluster cluster(options);
  TestClient& client = cluster.open(0, {.client_id = "c"});
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00 maxsize=100"));
  cluster.publish(client, "t", payload_of(80), Qos::k0);
  EXPECT_FALSE(client.closed);
  // Its header is enough: nothing waits for the rest.
  cluster.send_bytes(client, std::vector<uint8_t>{0x30, 0x64});
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x95"));
}

TEST(Flow, ReasonStringsAreLeftOutWhenThePacketWouldBeTooLarge) {
  // [MQTT5-3.14.2-3]
  TestCluster cluster;
  TestClient& client = cluster.connect(
      0, {.client_id = "c", .edit = [](Connect& c) { c.maximum_packet_size = 22; }});
  cluster.send_bytes(client, std::vector<uint8_t>{0xE0 | 1, 0});
  ASSERT_TRUE(client.closed);
  EXPECT_LE(client.received.size(), 22u);
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x81"));
}

TEST(Flow, AliasesOfTheClient) {
  // [MQTT5-3.3.2-12] [MQTT5-3.3.2-7]
  TestCluster cluster;
  TestClient& subscriber = cluster.connect(0, "subscriber");
  cluster.subscribe(subscriber, "t/#", Qos::k0);
  subscriber.take();
  TestClient& publisher = cluster.connect(0, "publisher");
  const auto alias = [](uint16_t n) { return [n](Publish& p) { p.topic_alias = n; }; };
  for (uint16_t n = 1; n <= 64; ++n) {
    cluster.publish(publisher, "t/" + std::to_string(n), "set", Qos::k0, 0, alias(n));
  }
  for (uint16_t n = 1; n <= 64; ++n) cluster.publish(publisher, "", "used", Qos::k0, 0, alias(n));
  cluster.publish(publisher, "t/new", "set", Qos::k0, 0, alias(3));
  cluster.publish(publisher, "", "used", Qos::k0, 0, alias(3));
  const auto lines = subscriber.take();
  ASSERT_EQ(lines.size(), 130u);
  EXPECT_EQ(lines[63], "PUBLISH t/64 set");
  EXPECT_EQ(lines[127], "PUBLISH t/64 used");
  EXPECT_EQ(lines[129], "PUBLISH t/new used");
  TestClient& next = cluster.connect(0, "next");
  cluster.publish(next, "", "unknown", Qos::k0, 0, alias(3));
  EXPECT_THAT(next.take(), ElementsAre("DISCONNECT 0x82"));
}

TEST(Flow, AnAliasAboveTheMaximumIsRefused) {
  // [MQTT5-3.2.2-17] [MQTT5-3.2.2-18] [MQTT5-3.3.2-9] [MQTT5-3.3.2-8]
  struct Row {
    uint16_t maximum, alias;
  };
  for (const Row& row : {Row{64, 65}, Row{0, 1}, Row{64, 0}}) {
    TestCluster::Options options;
    options.config.limits.topic_alias_max = row.maximum;
    TestCluster cluster(options);
    TestClient& client = cluster.connect(0, "c");
    cluster.publish(client, "t", "m", Qos::k0, 0, [&](Publish& p) { p.topic_alias = row.alias; });
    EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x94")) << row.alias;
  }
}

TEST(Flow, AliasesToTheClient) {
  // [MQTT5-3.1.2-26] [MQTT5-3.1.2-27] [MQTT5-3.3.2-11]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& none = cluster.connect(0, "none");
  TestClient& two = cluster.connect(
      0, {.client_id = "two", .edit = [](Connect& c) { c.topic_alias_maximum = 2; }});
  cluster.subscribe(none, "#", Qos::k0);
  cluster.subscribe(two, "#", Qos::k1);
  none.take();
  two.take();
  for (const char* topic : {"a", "a", "b", "a", "c", "b", "a"}) {
    cluster.publish(publisher, topic, "m", Qos::k0);
  }
  EXPECT_THAT(none.take(), ElementsAre("PUBLISH a m", "PUBLISH a m", "PUBLISH b m", "PUBLISH a m",
                                       "PUBLISH c m", "PUBLISH b m", "PUBLISH a m"));
  // The one that was not used for longest gives its alias away.
  EXPECT_THAT(two.take(),
              ElementsAre("PUBLISH a m alias=1", "PUBLISH  m alias=1", "PUBLISH b m alias=2",
                          "PUBLISH  m alias=1", "PUBLISH c m alias=2", "PUBLISH b m alias=1",
                          "PUBLISH a m alias=2"));
}

TEST(Flow, SubscriptionIdentifiers) {  // [MQTT5-3.3.4-3] [MQTT5-3.3.4-4]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const size_t where : {0u, 1u}) {
    TestClient& client = cluster.connect(where, "c" + std::to_string(where));
    cluster.subscribe(client, "t/+", Qos::k1, 1, nullptr, 7);
    cluster.subscribe(client, "t/#", Qos::k0, 2, nullptr, 300);
    client.take();
    cluster.publish(publisher, "t/a", "m", Qos::k1, 1);
    const auto lines = client.take();
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_TRUE(lines[0] == "PUBLISH t/a m q1 id1 sub=7 sub=300" ||
                lines[0] == "PUBLISH t/a m q1 id1 sub=300 sub=7")
        << lines[0];
  }
}

TEST(Flow, NoLocal) {  // [MQTT5-3.8.3-3]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& client = cluster.connect(0, "c");
  TestClient& other = cluster.connect(1, "other");
  cluster.subscribe(client, "t", Qos::k1, 1, [](SubscriptionRequest& r) { r.no_local = true; });
  cluster.subscribe(other, "t", Qos::k1, 1);
  client.take();
  other.take();
  cluster.publish(client, "t", "own", Qos::k1, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBACK 1"));
  EXPECT_THAT(other.take(), ElementsAre("PUBLISH t own q1 id1"));
  cluster.publish(other, "t", "theirs", Qos::k1, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t theirs q1 id1"));
}

TEST(Flow, PropertiesAreForwardedUnaltered) {
  // [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18] [MQTT5-3.3.2-20]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  std::vector<uint8_t> users;
  append_user_property("b", "1", users);
  append_user_property("a", "2", users);
  append_user_property("b", "1", users);
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const size_t where : {0u, 1u}) {
    TestClient& client = cluster.connect(where, "c" + std::to_string(where));
    cluster.subscribe(client, "t", Qos::k0);
    client.take();
    cluster.publish(publisher, "t", "m", Qos::k0, 0, [&](Publish& p) {
      p.application.payload_format = 1;
      p.application.content_type = "text";
      p.application.response_topic = "answer";
      p.application.correlation_data = bytes_of("\xFF\x01");
      p.application.user_properties = UserProperties::of_valid(users);
      p.message_expiry_s = 100;
    });
    EXPECT_THAT(client.take(),
                ElementsAre("PUBLISH t m expiry=100 format=1 correlation=\xFF\x01 type=text "
                            "to=answer b=1 a=2 b=1"));
  }
}

TEST(Flow, BytesMayBeCutAnywhere) {  // [MQTT5-6.0.0-2] [MQTT311-6.0.0-2]
  for (const size_t payload : {10u, 5'000u, 70'000u, 400'000u}) {
    for (const size_t cut : {1u, 2u, 3u, 7u, 1000u, 65'536u}) {
      if (payload / cut > 20'000) continue;
      TestCluster cluster;
      cluster.checks = payload / cut < 1'000;
      TestClient& subscriber = cluster.connect(0, "subscriber");
      cluster.subscribe(subscriber, "t", Qos::k1);
      subscriber.take();
      TestClient& publisher = cluster.connect(0, "publisher");
      std::vector<uint8_t> bytes;
      const std::string content = payload_of(payload);
      for (uint16_t i = 1; i <= 3; ++i) {
        Publish packet;
        packet.topic = "t";
        packet.qos = Qos::k1;
        packet.packet_id = i;
        packet.payload = bytes_of(content);
        encode_to(bytes, packet, ProtocolVersion::kMqtt5);
      }
      encode_to(bytes, PingReq{}, ProtocolVersion::kMqtt5);
      for (size_t at = 0; at < bytes.size(); at += cut) {
        const size_t size = std::min(cut, bytes.size() - at);
        cluster.send_bytes(publisher, std::span(bytes).subspan(at, size));
      }
      EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBACK 2", "PUBACK 3", "PINGRESP"));
      EXPECT_EQ(subscriber.take_frames().size(), 3u);
    }
  }
}

TEST(Flow, AHugeFanOutLetsOthersHaveTheirTurn) {
  TestCluster::Options options;
  options.config.limits.output_bytes_max = 1 << 30;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  std::vector<TestClient*> subscribers;
  for (int i = 0; i < 600; ++i) {
    subscribers.push_back(&cluster.connect(0, "s" + std::to_string(i)));
    cluster.subscribe(*subscribers.back(), "t", Qos::k0);
    subscribers.back()->take();
  }
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 100; ++i) {
    Publish packet;
    packet.topic = "t";
    encode_to(bytes, packet, ProtocolVersion::kMqtt5);
  }
  Broker& broker = cluster.broker(0);
  broker.on_bytes(publisher.conn, bytes, cluster.now());
  Effects& effects = broker.end_turn(cluster.now());
  EXPECT_TRUE(effects.more);
  const size_t first = broker.output(subscribers[0]->conn).bytes();
  EXPECT_LT(first, 90u * 6);
  broker.on_more(cluster.now());
  EXPECT_FALSE(broker.end_turn(cluster.now()).more);
  EXPECT_EQ(broker.output(subscribers[0]->conn).bytes(), 100u * 6);
}

}  // namespace
}  // namespace shoal::test
