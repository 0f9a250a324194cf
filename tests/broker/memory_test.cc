// What packets may take in memory: while they arrive, until everyone has them, and until they are
// acknowledged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
constexpr size_t kLarge = 300 * 1024;

TEST(Memory, PacketsThatAreStillArrivingHaveABudget) {  // [MQTT311-4.8.0-2]
  TestCluster::Options options;
  options.config.limits.arriving_bytes_max = 10'000;
  TestCluster cluster(options);
  TestClient& one = cluster.connect(0, "one");
  TestClient& two = cluster.connect(0, "two");
  std::vector<uint8_t> part{0x30, 0xFF, 0xFF, 0xFF, 0x7F};  // promises 256 MB
  part.resize(6'000);
  cluster.send_bytes(one, part);
  EXPECT_FALSE(one.closed);
  cluster.send_bytes(two, part);
  EXPECT_THAT(two.take(), ElementsAre("DISCONNECT 0x97"));
  TestClient& is_3 =
      cluster.connect(0, {.client_id = "is_3", .version = ProtocolVersion::kMqtt311});
  cluster.send_bytes(is_3, part);
  EXPECT_TRUE(is_3.closed);
  EXPECT_THAT(is_3.take(), IsEmpty());
  cluster.lose(one);
  TestClient& three = cluster.connect(0, "three");
  cluster.send_bytes(three, part);
  EXPECT_FALSE(three.closed);  // what one took is free again
}

TEST(Memory, AConnectCountsUntilItIsAnswered) {
  TestCluster::Options options;
  options.config.limits.arriving_bytes_max = 60'000;
  options.config.limits.connect_size_max = 45'000;
  TestCluster cluster(options);
  const std::string will = payload_of(40'000);
  const auto large = [&](const std::string& client_id) {
    return ConnectOptions{.client_id = client_id, .edit = [&](Connect& c) {
                            c.will.emplace().topic = "t";
                            c.will->payload = bytes_of(will);
                          }};
  };
  Broker& broker = cluster.broker(0);
  std::vector<ConnId> waiting;
  for (const char* client_id : {"first", "second"}) {
    waiting.push_back(broker.on_accept({}, cluster.now()));
    Connect packet;
    packet.client_id = client_id;
    packet.will.emplace().topic = "t";
    packet.will->payload = bytes_of(will);
    std::vector<uint8_t> bytes;
    encode_to(bytes, packet, ProtocolVersion::kMqtt5);
    broker.on_bytes(waiting.back(), bytes, cluster.now());
    EXPECT_EQ(broker.end_turn(cluster.now()).credential_checks.size(), 1u);  // not answered here
  }
  EXPECT_THAT(cluster.open(0, large("third")).take(), ElementsAre("CONNACK 0x97"));
  EXPECT_THAT(cluster.open(0, {.client_id = "small"}).take(), ElementsAre("CONNACK 0x00"));
  broker.on_closed(waiting[0], cluster.now());
  EXPECT_THAT(cluster.open(0, large("fourth")).take(), ElementsAre("CONNACK 0x00"));
  EXPECT_THAT(cluster.open(0, large("fifth")).take(), ElementsAre("CONNACK 0x00"));
}

// What clients may take that are not let in is not taken from the others, and the other way round.
TEST(Memory, StrangersHaveABudgetOfTheirOwn) {
  TestCluster::Options options;
  options.config.limits.arriving_bytes_max = 10'000;
  options.config.limits.connect_size_max = 6'000;
  TestCluster cluster(options);
  TestClient& known = cluster.connect(0, "known");
  std::vector<uint8_t> half{0x10, 0x80, 0x2E, 0,   4,
                            'M',  'Q',  'T',  'T', 5};  // a CONNECT of 5,891 bytes
  half.resize(5'800);
  std::vector<TestClient*> strangers;
  for (int i = 0; i < 8; ++i) {
    strangers.push_back(&cluster.accept(0));
    cluster.send_bytes(*strangers.back(), half);
  }
  const auto closed = [](const TestClient* client) { return client->closed; };
  EXPECT_EQ(std::ranges::count_if(strangers, closed), 6);
  std::vector<uint8_t> part{0x30, 0xFF, 0xFF, 0xFF, 0x7F};
  part.resize(9'000);
  cluster.send_bytes(known, part);
  EXPECT_FALSE(known.closed);
  EXPECT_THAT(cluster.open(0, {.client_id = "small"}).take(), ElementsAre("CONNACK 0x00"));
}

// Who is let in takes along what was kept of what it sent.
TEST(Memory, WhatFollowsConnectIsCountedForAStrangerUntilItIsNone) {
  TestCluster::Options options;
  options.config.limits.arriving_bytes_max = 20'000;  // and 2,500 for strangers
  options.config.limits.connect_size_max = 1'100;
  TestCluster cluster(options);
  std::vector<uint8_t> bytes;
  Connect packet;
  packet.client_id = "c";
  encode_to(bytes, packet, ProtocolVersion::kMqtt5);
  const size_t connect_size = bytes.size();
  bytes.insert(bytes.end(), {0x30, 0xFF, 0xFF, 0xFF, 0x7F});
  bytes.resize(connect_size + 2'000);
  for (int i = 0; i < 3; ++i) {
    TestClient& client = cluster.accept(0);
    cluster.send_bytes(client, bytes);
    EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00"));
    cluster.send_bytes(client, std::vector<uint8_t>(1'000));
    EXPECT_FALSE(client.closed) << i;
  }
}

// Two nodes, and room for one large payload; the far one's acceptances are held back.
class LargePayload : public ::testing::Test {
 protected:
  LargePayload() : cluster(options()) {
    TestClient& far = cluster.connect(1, "far");
    cluster.subscribe(far, "t", Qos::k0);
    cluster.hold_acceptances = true;
  }
  static TestCluster::Options options() {
    TestCluster::Options options;
    options.nodes = 2;
    options.config.limits.arriving_bytes_max = kLarge * 5 / 4;
    return options;
  }
  // Its first part, too much for the rest of the budget.
  void begin_another(TestClient& client) {
    std::vector<uint8_t> part{0x30, 0xFF, 0xFF, 0xFF, 0x7F};
    part.resize(kLarge / 2);
    cluster.send_bytes(client, part);
  }

  TestCluster cluster;
};

TEST_F(LargePayload, CountsUntilEveryoneHasIt) {
  TestClient& publisher = cluster.connect(0, "publisher");
  cluster.publish(publisher, "t", payload_of(kLarge), Qos::k0);
  EXPECT_TRUE(publisher.paused);
  TestClient& second = cluster.connect(0, "second");
  begin_another(second);
  EXPECT_THAT(second.take(), ElementsAre("DISCONNECT 0x97"));
  cluster.release_held();
  EXPECT_FALSE(publisher.paused);
  TestClient& third = cluster.connect(0, "third");
  begin_another(third);
  EXPECT_FALSE(third.closed);
}

TEST_F(LargePayload, CountsWhileItIsParkedAndItsPublisherIsNotRead) {
  cluster.set_lease(false);
  for (const bool goes : {true, false}) {
    TestClient& publisher = cluster.connect(0, "publisher");
    cluster.publish(publisher, "t", payload_of(kLarge), Qos::k1, 1);
    EXPECT_TRUE(publisher.paused);
    TestClient& second = cluster.connect(0, "second");
    begin_another(second);
    EXPECT_THAT(second.take(), ElementsAre("DISCONNECT 0x97"));
    if (goes) {
      cluster.lose(publisher);
      continue;
    }
    cluster.set_lease(true);
    cluster.release_held();
    EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
    EXPECT_FALSE(publisher.paused);
  }
  TestClient& third = cluster.connect(0, "third");
  begin_another(third);
  EXPECT_FALSE(third.closed);
}

// Of a 3.x client, which may be sent them again on the same connection.
TEST(Memory, UnacknowledgedMessagesHaveABound) {
  for (const bool is_durable : {true, false}) {
    TestCluster::Options options;
    options.config.limits.queued_bytes_max = 10'000;
    TestCluster cluster(options);
    TestClient& publisher = cluster.connect(0, "publisher");
    ConnectOptions connect = durable("c", ProtocolVersion::kMqtt311);
    connect.clean_start = !is_durable;
    TestClient& client = cluster.connect(0, connect);
    cluster.subscribe(client, "t", Qos::k2);
    client.take();
    for (uint16_t i = 1; i <= 4; ++i) {
      cluster.publish(publisher, "t", payload_of(6'000), i % 2 ? Qos::k2 : Qos::k1, i);
    }
    // The third waits until the client has one of the two.
    std::vector<uint16_t> ids;
    EXPECT_EQ(take(client, &ids).size(), 2u);
    cluster.ack(client, PacketType::kPubRec, ids[0]);
    EXPECT_THAT(take(client), ElementsAre("PUBREL", "PUBLISH t <6000 bytes> q2"));
    cluster.ack(client, PacketType::kPubAck, ids[1]);
    EXPECT_THAT(take(client), ElementsAre("PUBLISH t <6000 bytes> q1"));
  }
}

}  // namespace
}  // namespace shoal::test
