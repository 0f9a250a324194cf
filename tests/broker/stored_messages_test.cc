// What the store has for a durable session: in its order, as the client has room, and acknowledged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

size_t dropped(TestCluster& cluster, DropReason reason) {
  return cluster.counters(0).dropped[static_cast<size_t>(reason)];
}

std::function<void(Connect&)> receive_maximum(uint16_t count) {
  return [count](Connect& c) {
    if (c.version == k5) c.receive_maximum = count;
  };
}

// The queue of the only session, as the store has it.
size_t queued(TestCluster& cluster) { return cluster.store().session("c")->queue.queued; }

// [MQTT5-4.4.0-1] [MQTT311-4.4.0-1] [MQTT5-3.3.1-1] [MQTT311-3.3.1-1] [MQTT5-4.3.3-5]
TEST(Stored, IsSentAgainWithDupAndTheOldIdentifiersOnAnotherNode) {
  for (const auto version : {k311, k5}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& first = cluster.connect(0, durable("c", version));
    cluster.subscribe(first, "t", Qos::k2);
    first.take();
    for (uint16_t i = 1; i <= 4; ++i) {
      cluster.publish(publisher, "t", std::to_string(i), i % 2 ? Qos::k1 : Qos::k2, i);
    }
    std::vector<uint16_t> ids;
    EXPECT_THAT(take(first, &ids), ElementsAre("PUBLISH t 1 q1", "PUBLISH t 2 q2", "PUBLISH t 3 q1",
                                               "PUBLISH t 4 q2"));
    for (size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i], ids[i - 1] + 1);
    cluster.ack(first, PacketType::kPubAck, ids[0]);
    cluster.ack(first, PacketType::kPubRec, ids[3]);
    EXPECT_THAT(take(first), ElementsAre("PUBREL"));
    cluster.lose(first);
    TestClient& again = cluster.connect(1, durable("c", version));
    std::vector<uint16_t> again_ids;
    EXPECT_THAT(take(again, &again_ids),
                ElementsAre("PUBLISH t 2 q2 dup", "PUBLISH t 3 q1 dup", "PUBREL"));
    EXPECT_THAT(again_ids, ElementsAre(ids[1], ids[2], ids[3]));
    EXPECT_EQ(cluster.counters(1).redelivered, 3u);
    cluster.ack(again, PacketType::kPubRec, ids[1]);
    cluster.ack(again, PacketType::kPubComp, ids[1]);
    cluster.ack(again, PacketType::kPubAck, ids[2]);
    cluster.ack(again, PacketType::kPubComp, ids[3]);
    EXPECT_THAT(take(again), ElementsAre("PUBREL"));
    EXPECT_EQ(queued(cluster), 0u);
    cluster.lose(again);
    TestClient& third = cluster.connect(0, durable("c", version));
    EXPECT_THAT(third.take(), IsEmpty());
  }
}

// [MQTT5-4.3.3-4]: who gets PUBREL can forget the message for good.
TEST(Stored, PubrelWaitsUntilPubrecIsDurable) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  cluster.publish(publisher, "t", "a", Qos::k2, 1);
  std::vector<uint16_t> ids;
  take(client, &ids);
  cluster.store().holds_commits = true;
  cluster.ack(client, PacketType::kPubRec, ids[0]);
  cluster.ack(client, PacketType::kPubRec, ids[0]);  // impatient
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_EQ(cluster.store().seen["ack"], 1u);
  cluster.commit();
  EXPECT_THAT(take(client), ElementsAre("PUBREL"));
  cluster.ack(client, PacketType::kPubRec, ids[0]);
  EXPECT_THAT(take(client), ElementsAre("PUBREL"));
  EXPECT_EQ(cluster.store().seen["ack"], 1u);
  cluster.ack(client, PacketType::kPubComp, ids[0]);
  EXPECT_EQ(queued(cluster), 0u);
}

TEST(Stored, AcknowledgementsOfATurnGoAsOne) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  for (uint16_t i = 1; i <= 3; ++i) cluster.publish(publisher, "t", "x", Qos::k1, i);
  std::vector<uint16_t> ids;
  take(client, &ids);
  std::vector<uint8_t> bytes;
  for (const uint16_t id : ids) {
    Ack ack;
    ack.type = PacketType::kPubAck;
    ack.packet_id = id;
    encode_to(bytes, ack, client.version);
  }
  cluster.send_bytes(client, bytes);
  EXPECT_EQ(cluster.store().seen["ack"], 1u);
  EXPECT_EQ(queued(cluster), 0u);
}

// Before the connection's end is told: after it they mean nothing.
TEST(Stored, AcknowledgementsGoBeforeTheDetach) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  cluster.publish(publisher, "t", "x", Qos::k1, 1);
  std::vector<uint16_t> ids;
  take(client, &ids);
  std::vector<uint8_t> bytes;
  Ack ack;
  ack.type = PacketType::kPubAck;
  ack.packet_id = ids[0];
  encode_to(bytes, ack, client.version);
  encode_to(bytes, Disconnect{}, client.version);
  cluster.send_bytes(client, bytes);
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(queued(cluster), 0u);
}

TEST(Stored, ReceiveMaximumOfOne) {  // [MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c", k5, receive_maximum(1)));
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  for (uint16_t i = 1; i <= 6; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), i % 2 ? Qos::k1 : Qos::k2, i);
  }
  for (int i = 1; i <= 6; ++i) {
    std::vector<uint16_t> ids;
    const std::string number = std::to_string(i);
    ASSERT_THAT(take(client, &ids), ElementsAre("PUBLISH t " + number + (i % 2 ? " q1" : " q2")));
    if (i % 2) {
      cluster.ack(client, PacketType::kPubAck, ids[0]);
    } else {
      cluster.ack(client, PacketType::kPubRec, ids[0]);
      EXPECT_THAT(take(client), ElementsAre("PUBREL"));
      cluster.ack(client, PacketType::kPubComp, ids[0]);
    }
  }
  EXPECT_EQ(queued(cluster), 0u);
}

// More than the window of 4 x Receive Maximum: in portions, none twice, in order.
TEST(Stored, ALongQueueIsDrainedInOrder) {
  for (const size_t room : {1u, 3u, 1000u}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    cluster.store().room = room;
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& first = cluster.connect(0, durable("c"));
    cluster.subscribe(first, "t", Qos::k1);
    cluster.lose(first);
    constexpr int kMessages = 100;
    for (int i = 1; i <= kMessages; ++i) {
      cluster.publish(publisher, "t", std::to_string(i), Qos::k1, static_cast<uint16_t>(i));
    }
    TestClient& again = cluster.connect(1, durable("c", k5, receive_maximum(5)));
    int next = 1;
    for (int round = 0; round < kMessages && next <= kMessages; ++round) {
      std::vector<uint16_t> ids;
      for (const std::string& line : take(again, &ids)) {
        EXPECT_EQ(line, "PUBLISH t " + std::to_string(next++) + " q1");
      }
      EXPECT_LE(ids.size(), 5u);
      for (const uint16_t id : ids) cluster.ack(again, PacketType::kPubAck, id);
    }
    EXPECT_EQ(next, kMessages + 1) << room;
    EXPECT_EQ(queued(cluster), 0u);
  }
}

// What a client does not read stays in the store.
TEST(Stored, ASlowReaderIsGivenNoMoreThanItsOutputTakes) {
  TestCluster::Options options;
  options.config.limits.output_bytes_low = 1000;
  TestCluster cluster(options);
  cluster.store().room = 2;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  client.reads = false;
  const std::string payload = payload_of(800);
  for (uint16_t i = 1; i <= 20; ++i) cluster.publish(publisher, "t", payload, Qos::k1, i);
  EXPECT_EQ(publisher.take().size(), 20u);  // it is the store's, whoever reads when
  const SessionInfo* seen = nullptr;
  cluster.broker(0).for_each_session([&](const SessionInfo& info) {
    if (info.client_id != "c") return;
    seen = &info;
    EXPECT_EQ(info.inflight, 2u);
    EXPECT_LE(info.queued, 2u);
  });
  EXPECT_TRUE(seen);
  cluster.advance(Duration::seconds(100));
  EXPECT_FALSE(client.closed);
  cluster.read_again(client);
  EXPECT_EQ(client.take().size(), 20u);
}

TEST(Stored, OneThatTheClientDoesNotTakeIsOver) {  // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client =
      cluster.connect(0, durable("c", k5, [](Connect& c) { c.maximum_packet_size = 100; }));
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  const std::string large = payload_of(200);
  cluster.publish(publisher, "t", large, Qos::k1, 1);
  cluster.publish(publisher, "t", large, Qos::k2, 2);
  cluster.publish(publisher, "t", "small", Qos::k1, 3);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH t small q1"));
  EXPECT_EQ(dropped(cluster, DropReason::kPacketTooLarge), 2u);
  EXPECT_EQ(queued(cluster), 1u);
}

TEST(Stored, OneThatTheClientMayNotReceiveIsOver) {
  struct NotSecret : Access {
    bool may_publish(std::string_view) const override { return true; }
    bool may_subscribe(std::string_view) const override { return true; }
    bool may_receive(std::string_view topic) const override { return topic != "t/secret"; }
  };
  TestCluster cluster;
  cluster.credentials = [](const CredentialCheck&) {
    CredentialAnswer answer;
    answer.access = std::make_shared<NotSecret>();
    return answer;
  };
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t/#", Qos::k2);
  client.take();
  cluster.publish(publisher, "t/secret", "x", Qos::k2, 1);
  cluster.publish(publisher, "t/open", "x", Qos::k2, 2);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH t/open x q2"));
  EXPECT_EQ(dropped(cluster, DropReason::kNotAllowed), 1u);
  EXPECT_EQ(queued(cluster), 1u);
}

// [MQTT5-3.3.2-5], but what was possibly sent is sent again [MQTT5-4.3.3-13].
TEST(Stored, OneThatExpiredUnsentIsOver) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c", k5, receive_maximum(1)));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  const auto briefly = [](Publish& p) { p.message_expiry_s = 5; };
  cluster.publish(publisher, "t", "sent", Qos::k1, 1, briefly);
  cluster.publish(publisher, "t", "waits", Qos::k1, 2, briefly);
  cluster.publish(publisher, "t", "stays", Qos::k1, 3);
  std::vector<uint16_t> ids;
  EXPECT_THAT(take(client, &ids), ElementsAre("PUBLISH t sent q1 expiry=5"));
  cluster.advance(Duration::seconds(6));
  cluster.ack(client, PacketType::kPubAck, ids[0]);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH t stays q1"));
  EXPECT_EQ(dropped(cluster, DropReason::kExpired), 1u);
  EXPECT_EQ(queued(cluster), 1u);
}

TEST(Stored, OverlappingFiltersGiveOneCopyWithAllIdentifiers) {  // [MQTT5-3.3.4-2] [MQTT5-3.3.4-4]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(1, durable("c"));
  cluster.subscribe(client, "a/+", Qos::k1, 1, nullptr, 7);
  cluster.subscribe(client, "a/#", Qos::k0, 2, nullptr, 8);
  client.take();
  cluster.publish(publisher, "a/b", "high", Qos::k2, 1);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH a/b high q1 sub=7 sub=8"));
  cluster.publish(publisher, "a/b", "zero", Qos::k0);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH a/b zero sub=8 sub=7"));
  cluster.publish(publisher, "a", "low", Qos::k2, 2);  // the highest of what matches is 0: live
  EXPECT_THAT(take(client), ElementsAre("PUBLISH a low sub=8"));
  EXPECT_EQ(cluster.store().session("c")->queue.queued, 1u);
}

TEST(Stored, NoLocalAndRetainAsPublished) {  // [MQTT5-3.8.3-3] [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]
  TestCluster cluster;
  TestClient& client = cluster.connect(0, durable("c"));
  TestClient& publisher = cluster.connect(0, "publisher");
  cluster.subscribe(client, "own", Qos::k1, 1, [](SubscriptionRequest& r) { r.no_local = true; });
  cluster.subscribe(client, "keeps", Qos::k1, 2,
                    [](SubscriptionRequest& r) { r.retain_as_published = true; });
  cluster.subscribe(client, "clears", Qos::k1, 3);
  client.take();
  cluster.publish(client, "own", "x", Qos::k1, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBACK 1"));
  const auto retained = [](Publish& p) { p.retain = true; };
  cluster.publish(publisher, "keeps", "x", Qos::k1, 1, retained);
  cluster.publish(publisher, "clears", "x", Qos::k1, 2, retained);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH keeps x q1 retain", "PUBLISH clears x q1"));
}

TEST(Stored, TopicAliasesOfTheConnection) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client =
      cluster.connect(0, durable("c", k5, [](Connect& c) { c.topic_alias_maximum = 1; }));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  cluster.publish(publisher, "t", "a", Qos::k1, 1);
  cluster.publish(publisher, "t", "b", Qos::k1, 2);
  EXPECT_THAT(take(client), ElementsAre("PUBLISH t a q1 alias=1", "PUBLISH  b q1 alias=1"));
}

TEST(Stored, Redelivery3xWhileConnected5xNot) {  // [MQTT5-4.4.0-1]
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& client = cluster.connect(0, durable("c", version));
    cluster.subscribe(client, "t", Qos::k2);
    client.take();
    cluster.publish(publisher, "t", "1", Qos::k1, 1);
    cluster.publish(publisher, "t", "2", Qos::k2, 2);
    std::vector<uint16_t> ids;
    take(client, &ids);
    cluster.ack(client, PacketType::kPubRec, ids[1]);
    client.take();
    cluster.advance(Duration::seconds(19));
    EXPECT_THAT(client.take(), IsEmpty());
    cluster.advance(Duration::seconds(2));
    if (version == k5) {
      EXPECT_THAT(client.take(), IsEmpty());
      continue;
    }
    std::vector<uint16_t> again;
    EXPECT_THAT(take(client, &again), ElementsAre("PUBLISH t 1 q1 dup", "PUBREL"));
    EXPECT_EQ(again, ids);
    cluster.ack(client, PacketType::kPubAck, ids[0]);
    cluster.ack(client, PacketType::kPubComp, ids[1]);
    cluster.advance(Duration::seconds(60));
    EXPECT_THAT(client.take(), IsEmpty());
  }
}

TEST(Stored, AcknowledgementsOfNothingAreAsEver) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.subscribe(client, "t", Qos::k2);
  client.take();
  cluster.publish(publisher, "t", "1", Qos::k1, 1);
  cluster.publish(publisher, "t", "2", Qos::k2, 2);
  std::vector<uint16_t> ids;
  take(client, &ids);
  cluster.ack(client, PacketType::kPubAck, 9999);
  cluster.ack(client, PacketType::kPubComp, 9999);
  cluster.ack(client, PacketType::kPubAck, ids[1]);   // of the other QoS
  cluster.ack(client, PacketType::kPubComp, ids[1]);  // before PUBREL
  cluster.ack(client, PacketType::kPubRec, 9999, ReasonCode::kUnspecifiedError);
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.ack(client, PacketType::kPubRec, 9999);
  EXPECT_THAT(client.take(), ElementsAre("PUBREL 9999 0x92"));
  cluster.ack(client, PacketType::kPubRec, ids[0]);
  EXPECT_THAT(take(client), ElementsAre("PUBREL 0x92"));
  EXPECT_EQ(queued(cluster), 2u);
  cluster.ack(client, PacketType::kPubRec, ids[1], ReasonCode::kUnspecifiedError);  // over
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_EQ(queued(cluster), 1u);
}

TEST(Stored, AStaleAnswerEndsTheConnection) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& client = cluster.connect(0, durable("c"));
  cluster.store().holds_commits = true;
  cluster.subscribe(client, "t", Qos::k2);
  cluster.publish(client, "u", "x", Qos::k2, 1);
  cluster.mail(0, FromStore(SessionDone{1, SessionDone::Outcome::kStale}));
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x8e"));
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(cluster.counters(0).takeovers, 1u);
}

TEST(Stored, DrainingWaitsForWhatTheClientHasOpen) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c", k5, receive_maximum(1)));
  cluster.subscribe(client, "t", Qos::k1);
  client.take();
  cluster.publish(publisher, "t", "1", Qos::k1, 1);
  cluster.publish(publisher, "t", "2", Qos::k1, 2);
  std::vector<uint16_t> ids;
  EXPECT_THAT(take(client, &ids), ElementsAre("PUBLISH t 1 q1"));
  cluster.mail(0, Drain{100});
  cluster.advance(Duration::seconds(1));
  EXPECT_FALSE(client.closed);
  cluster.ack(client, PacketType::kPubAck, ids[0]);
  cluster.advance(Duration::millis(200));
  EXPECT_THAT(client.take(),
              ElementsAre("DISCONNECT 0x9c"));  // and nothing that it would leave open
  cluster.mail(0, Drain{0});
  TestClient& again = cluster.connect(0, durable("c"));
  EXPECT_THAT(take(again), ElementsAre("PUBLISH t 2 q1 dup"));
}

}  // namespace
}  // namespace shoal::test
