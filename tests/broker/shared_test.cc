// Shared subscriptions: one member each message, on whichever node it is (5.0: 4.8.2).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kShared = "$share/g/t";

TEST(Shared, EachMessageReachesOneMember) {
  for (const int qos : {0, 1, 2}) {
    TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    std::vector<TestClient*> members;
    for (size_t i = 0; i < 6; ++i) {
      members.push_back(&cluster.connect(i % 3, "m" + std::to_string(i)));
      cluster.subscribe(*members.back(), kShared, Qos::k2);
      members.back()->take();
    }
    for (uint16_t i = 1; i <= 60; ++i) {
      cluster.publish(publisher, "t", std::to_string(i), static_cast<Qos>(qos), qos ? i : 0);
    }
    size_t total = 0;
    for (TestClient* member : members) {
      const size_t got = member->take().size();
      EXPECT_GT(got, 2u);
      total += got;
    }
    EXPECT_EQ(total, 60u);
  }
}

TEST(Shared, TheMembersQosHolds) {  // [MQTT5-4.8.2-3]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& zero = cluster.connect(0, "zero");
  TestClient& two = cluster.connect(0, "two");
  cluster.subscribe(zero, kShared, Qos::k0);
  cluster.subscribe(two, kShared, Qos::k2);
  zero.take();
  two.take();
  cluster.publish(publisher, "t", "a", Qos::k2, 1);
  cluster.publish(publisher, "t", "b", Qos::k2, 2);
  const auto first = zero.take(), second = two.take();
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].find(" q"), std::string::npos);
  EXPECT_NE(second[0].find(" q2"), std::string::npos);
}

TEST(Shared, WhereAllAreBusyNoneIsPickedThatWouldLoseIt) {
  TestCluster::Options options{.nodes = 1, .workers = 1, .config = {}};
  options.config.limits.output_bytes_max = 1000;
  options.config.limits.output_bytes_low = 500;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& slow = cluster.connect(0, "slow");
  TestClient& keeper = cluster.connect(
      0, {.client_id = "keeper", .edit = [](Connect& c) { c.receive_maximum = 1; }});
  cluster.subscribe(slow, "fill", Qos::k0);
  cluster.subscribe(slow, kShared, Qos::k0);
  cluster.subscribe(keeper, kShared, Qos::k1);
  keeper.take();
  slow.reads = false;
  for (int i = 0; i < 20; ++i) cluster.publish(publisher, "fill", payload_of(100), Qos::k0);
  const size_t output_full = static_cast<size_t>(DropReason::kOutputFull);
  const uint64_t before = cluster.counters(0).dropped[output_full];
  for (uint16_t i = 1; i <= 20; ++i) cluster.publish(publisher, "t", "x", Qos::k1, i);
  for (uint16_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(keeper.take().size(), 1u);
    cluster.ack(keeper, PacketType::kPubAck, i);
  }
  EXPECT_EQ(publisher.take().size(), 20u);
  EXPECT_EQ(cluster.counters(0).dropped[output_full], before);
}

TEST(Shared, AnAcknowledgementWaitsForTheMembers) {
  for (const size_t where : {0u, 1u}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& member = cluster.connect(where, "member");
    cluster.subscribe(member, kShared, Qos::k2);
    member.take();
    cluster.publish(publisher, "t", "one", Qos::k1, 1);
    cluster.publish(publisher, "t", "two", Qos::k2, 2);
    EXPECT_THAT(member.take(), ElementsAre("PUBLISH t one q1 id1", "PUBLISH t two q2 id2"));
    EXPECT_THAT(publisher.take(), IsEmpty());
    cluster.ack(member, PacketType::kPubAck, 1);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
    cluster.ack(member, PacketType::kPubRec, 2, ReasonCode::kQuotaExceeded);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 2"));  // discarded [MQTT5-4.8.2-6]
  }
}

TEST(Shared, AnotherMemberGetsWhatOneDidNotAcknowledge) {
  for (const size_t where : {0u, 1u}) {
    TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& first = cluster.connect(where, "first");
    cluster.subscribe(first, kShared, Qos::k2);
    first.take();
    cluster.publish(publisher, "t", "one", Qos::k1, 1);
    cluster.publish(publisher, "t", "two", Qos::k2, 2);
    EXPECT_EQ(first.take().size(), 2u);
    TestClient& second = cluster.connect(2, "second");
    cluster.subscribe(second, kShared, Qos::k2);
    second.take();
    cluster.lose(first);
    // What began at QoS 2 goes to nobody else [MQTT5-4.8.2-5].
    EXPECT_THAT(second.take(), ElementsAre("PUBLISH t one q1 id1"));
    EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 2"));
    cluster.ack(second, PacketType::kPubAck, 1);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  }
}

TEST(Shared, AnotherMemberOfTheSamePlaceGetsWhatOneDidNotAcknowledge) {
  for (const size_t where : {0u, 1u}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& first = cluster.connect(where, "first");
    cluster.subscribe(first, kShared, Qos::k1);
    first.take();
    cluster.publish(publisher, "t", "one", Qos::k1, 1);
    TestClient& second = cluster.connect(where, "second");
    cluster.subscribe(second, kShared, Qos::k1);
    second.take();
    cluster.lose(first);
    EXPECT_THAT(second.take(), ElementsAre("PUBLISH t one q1 id1"));
    cluster.ack(second, PacketType::kPubAck, 1);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  }
}

TEST(Shared, NobodyLeftIsCountedAndAcknowledged) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& member = cluster.connect(1, "member");
  cluster.subscribe(member, kShared, Qos::k1);
  cluster.publish(publisher, "t", "one", Qos::k1, 1);
  cluster.lose(member);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  EXPECT_EQ(cluster.counters(0).dropped[static_cast<size_t>(DropReason::kNoMember)], 1u);
}

TEST(Shared, ALostPeersMessagesArePickedAgain) {
  TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& there = cluster.connect(1, "there");
  cluster.subscribe(there, kShared, Qos::k1);
  cluster.hold_acceptances = true;
  cluster.publish(publisher, "t", "one", Qos::k1, 1);
  TestClient& here = cluster.connect(0, "here");
  cluster.subscribe(here, kShared, Qos::k1);
  here.take();
  cluster.peer_down(0, 1);
  EXPECT_THAT(here.take(), ElementsAre("PUBLISH t one q1 id1"));
  cluster.ack(here, PacketType::kPubAck, 1);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
}

TEST(Shared, WhatALostPeersMemberMayHaveAtQos2GoesToNobodyElse) {  // [MQTT5-4.8.2-5]
  TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& there = cluster.connect(1, "there");
  cluster.subscribe(there, kShared, Qos::k2);
  there.take();
  cluster.hold_acceptances = true;
  cluster.publish(publisher, "t", "one", Qos::k2, 1);
  EXPECT_THAT(there.take(), ElementsAre("PUBLISH t one q2 id1"));
  cluster.ack(there, PacketType::kPubRec, 1);  // and the acceptance never arrives
  TestClient& here = cluster.connect(0, "here");
  cluster.subscribe(here, kShared, Qos::k2);
  here.take();
  cluster.peer_down(0, 1);
  EXPECT_THAT(here.take(), IsEmpty());
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1"));
}

// Its publisher waits for it, so it is known whose it was.
TEST(Shared, ALargeMessageThatALostPeersMemberMayHaveComesOnceAtQos0) {
  TestCluster::Options options{.nodes = 2, .workers = 1, .config = {}};
  options.config.limits.large_payload = 1000;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& there = cluster.connect(1, "there");
  cluster.subscribe(there, kShared, Qos::k0);
  there.take();
  cluster.hold_acceptances = true;
  cluster.publish(publisher, "t", std::string(2000, 'x'), Qos::k0);
  EXPECT_EQ(there.take().size(), 1u);
  TestClient& here = cluster.connect(0, "here");
  cluster.subscribe(here, kShared, Qos::k0);
  here.take();
  cluster.peer_down(0, 1);
  cluster.publish(publisher, "t", "after", Qos::k0);
  EXPECT_THAT(here.take(), ElementsAre("PUBLISH t after"));
}

TEST(Shared, WhatNeverLeftForALostPeerGoesToAnotherAlsoAtQos2) {
  TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& there = cluster.connect(1, "there");
  cluster.subscribe(there, kShared, Qos::k2);
  TestClient& here = cluster.connect(0, durable("here"));
  cluster.subscribe(here, kShared, Qos::k2);
  cluster.lose(here);  // the last choice
  std::vector<uint8_t> bytes;
  Publish packet;
  packet.topic = "t";
  packet.qos = Qos::k2;
  packet.packet_id = 1;
  encode_to(bytes, packet, ProtocolVersion::kMqtt5);
  cluster.on_broker(0, [&](Broker& broker) {  // in one turn
    broker.on_bytes(publisher.conn, bytes, cluster.now());
    broker.on_mail(PeerDown{1}, cluster.now());
  });
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1"));
  EXPECT_THAT(take(cluster.connect(0, durable("here"))), ElementsAre("PUBLISH t  q2"));
}

TEST(Shared, AMemberThatGoesAfterItsMessagesOriginIsPickedByNobody) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& member = cluster.connect(1, "member");
  cluster.subscribe(member, kShared, Qos::k1);
  member.take();
  cluster.publish(publisher, "t", "one", Qos::k1, 1);
  cluster.peer_down(0, 1);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));  // nobody is left to pick
  TestClient& other = cluster.connect(1, "other");
  cluster.subscribe(other, kShared, Qos::k1);
  other.take();
  cluster.lose(member);
  EXPECT_THAT(other.take(), IsEmpty());
  EXPECT_EQ(cluster.counters(1).tickets_now, 0u);
}

TEST(Shared, AStoredSessionKeepsItsMessages) {  // [MQTT5-4.8.2-4]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& member = cluster.connect(0, durable("stored"));
  cluster.subscribe(member, kShared, Qos::k2);
  member.take();
  cluster.publish(publisher, "t", "one", Qos::k2, 1);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1"));
  cluster.lose(member);
  TestClient& other = cluster.connect(0, "other");
  cluster.subscribe(other, kShared, Qos::k2);
  other.take();
  EXPECT_THAT(take(cluster.connect(0, durable("stored"))), ElementsAre("PUBLISH t one q2 dup"));
  EXPECT_THAT(other.take(), IsEmpty());
}

TEST(Shared, WhatAStoredSessionDidNotSendGoesToAnotherWhenItEnds) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& member = cluster.connect(
      0, {.client_id = "stored", .edit = [](Connect& c) { c.session_expiry_s = 5; }});
  cluster.subscribe(member, kShared, Qos::k1);
  cluster.lose(member);
  cluster.publish(publisher, "t", "one", Qos::k1, 1);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  TestClient& other = cluster.connect(0, "other");
  cluster.subscribe(other, kShared, Qos::k1);
  other.take();
  cluster.advance(Duration::seconds(6));
  EXPECT_THAT(other.take(), ElementsAre("PUBLISH t one q1 id1"));
}

TEST(Shared, AbsentMembersAreTheLastChoice) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& absent = cluster.connect(0, durable("stored"));
  cluster.subscribe(absent, kShared, Qos::k1);
  cluster.lose(absent);
  TestClient& present = cluster.connect(1, "present");
  cluster.subscribe(present, kShared, Qos::k1);
  present.take();
  for (uint16_t i = 1; i <= 10; ++i) {
    cluster.publish(publisher, "t", "m", Qos::k1, i);
    cluster.ack(present, PacketType::kPubAck, i);
  }
  EXPECT_EQ(present.take().size(), 10u);
  EXPECT_EQ(publisher.take().size(), 10u);
}

}  // namespace
}  // namespace shoal::test
