// Messages between workers and nodes: who is waited for before an acknowledgement leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TestCluster::Options three_nodes() { return {.nodes = 3, .workers = 1, .config = {}}; }

TEST(Forwarding, ReachesEveryNodeAndWorkerOnce) {
  TestCluster cluster({.nodes = 3, .workers = 2, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  std::vector<TestClient*> subscribers;
  for (size_t i = 0; i < 6; ++i) {
    subscribers.push_back(&cluster.connect(i, "s" + std::to_string(i)));
    cluster.subscribe(*subscribers.back(), "a/+", Qos::k1);
    EXPECT_THAT(subscribers.back()->take(), ElementsAre("SUBACK 1 0x01"));
  }
  cluster.publish(publisher, "a/b", "zero", Qos::k0);
  cluster.publish(publisher, "a/b", "one", Qos::k1, 9);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 9"));
  for (TestClient* subscriber : subscribers) {
    EXPECT_THAT(subscriber->take(), ElementsAre("PUBLISH a/b zero", "PUBLISH a/b one q1 id1"));
  }
  EXPECT_EQ(cluster.counters(0).forwarded, 4u);
  EXPECT_EQ(cluster.counters(0).forwarded_local, 2u);
  EXPECT_EQ(cluster.counters(0).tickets_now, 0u);
}

TEST(Forwarding, AckWaitsUntilEveryNodeAccepted) {  // [MQTT5-4.3.2-4] [MQTT311-4.3.2-2]
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& near = cluster.connect(0, "near");
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(near, "t", Qos::k2);
  cluster.subscribe(far, "t", Qos::k2);
  near.take();
  far.take();
  cluster.hold_acceptances = true;
  cluster.publish(publisher, "t", "1", Qos::k1, 1);
  cluster.publish(publisher, "t", "2", Qos::k2, 2);
  EXPECT_THAT(near.take(), ElementsAre("PUBLISH t 1 q1 id1", "PUBLISH t 2 q2 id2"));
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t 1 q1 id1", "PUBLISH t 2 q2 id2"));
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.publish(publisher, "t", "2", Qos::k2, 2, [](Publish& p) { p.dup = true; });
  EXPECT_THAT(publisher.take(), IsEmpty());  // on its way: PUBREC comes once
  cluster.release_held();
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBREC 2"));
  EXPECT_THAT(far.take(), IsEmpty());
}

TEST(Forwarding, ALostPeerIsNotWaitedFor) {
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far = cluster.connect(2, "far");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.hold_forwards = true;
  cluster.publish(publisher, "t", "lost", Qos::k1, 1);
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.peer_down(0, 2);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  cluster.publish(publisher, "t", "nobody", Qos::k1, 2);  // its routes are void
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 2"));
}

TEST(Forwarding, LateAnswersOfALostPeerAreIgnored) {
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.hold_acceptances = true;
  cluster.publish(publisher, "t", "m", Qos::k1, 1);
  cluster.peer_down(0, 1);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  cluster.release_held();
  EXPECT_THAT(publisher.take(), IsEmpty());
}

TEST(Forwarding, WithoutALeaseQos1IsParkedInOrderAndQos0GoesOn) {
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k2);
  far.take();
  cluster.set_lease(false);
  cluster.publish(publisher, "t", "first", Qos::k1, 1);
  cluster.publish(publisher, "t", "second", Qos::k2, 2);
  cluster.publish(publisher, "t", "second", Qos::k2, 2, [](Publish& p) { p.dup = true; });
  cluster.publish(publisher, "t", "volatile", Qos::k0);
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t volatile"));
  EXPECT_THAT(publisher.take(), IsEmpty());
  EXPECT_EQ(cluster.broker(0).counters().parked_now, 2u);
  cluster.set_lease(true);
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t first q1 id1", "PUBLISH t second q2 id2"));
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBREC 2"));
}

TEST(Forwarding, AParkedPublishCostsItsConnectionAfterPublishTimeout) {
  TestCluster cluster(three_nodes());
  TestClient& is_5 = cluster.connect(0, "five");
  TestClient& is_3 =
      cluster.connect(0, {.client_id = "three", .version = ProtocolVersion::kMqtt311});
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  far.take();
  cluster.set_lease(false);
  cluster.publish(is_5, "t", "m", Qos::k1, 1);
  cluster.publish(is_3, "t", "m", Qos::k1, 1);
  cluster.advance(Duration::seconds(31));
  EXPECT_THAT(is_5.take(), ElementsAre("DISCONNECT 0x89"));
  EXPECT_TRUE(is_5.closed);
  EXPECT_THAT(is_3.take(), IsEmpty());
  EXPECT_TRUE(is_3.closed);
  cluster.set_lease(true);
  EXPECT_THAT(far.take(), IsEmpty());  // a closed connection's parked publishes are dropped
}

TEST(Forwarding, AWithheldAcknowledgementCostsItsConnectionAfterPublishTimeout) {
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.hold_acceptances = true;
  cluster.publish(publisher, "t", "m", Qos::k1, 1);
  cluster.advance(Duration::seconds(29));
  EXPECT_FALSE(publisher.closed);
  cluster.advance(Duration::seconds(2));
  EXPECT_THAT(publisher.take(), ElementsAre("DISCONNECT 0x89"));
}

TEST(Forwarding, SubackWaitsForTheRoutesAndTheLease) {
  TestCluster cluster(three_nodes());
  TestClient& subscriber = cluster.connect(0, "subscriber");
  cluster.hold_routes = true;
  cluster.subscribe(subscriber, "t", Qos::k1, 5);
  EXPECT_THAT(subscriber.take(), IsEmpty());
  cluster.subscribe(subscriber, "t", Qos::k1, 6);  // known here, but not yet everywhere
  EXPECT_THAT(subscriber.take(), IsEmpty());
  cluster.set_lease(false);
  cluster.mail(0, RoutesSynced{1});
  EXPECT_THAT(subscriber.take(), IsEmpty());
  cluster.set_lease(true);
  EXPECT_THAT(subscriber.take(), ElementsAre("SUBACK 5 0x01", "SUBACK 6 0x01"));
  cluster.subscribe(subscriber, "t", Qos::k2, 7);  // everybody knows
  EXPECT_THAT(subscriber.take(), ElementsAre("SUBACK 7 0x02"));
}

TEST(Forwarding, ALargePayloadPausesItsPublisherUntilAllHaveIt) {
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far = cluster.connect(1, "far");
  TestClient& near = cluster.connect(0, "near");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.subscribe(near, "t", Qos::k1);
  near.take();
  far.take();
  cluster.hold_acceptances = true;
  const std::string large = payload_of(300 * 1024);
  cluster.publish(publisher, "t", large, Qos::k0);
  EXPECT_TRUE(publisher.paused);
  cluster.publish(publisher, "t", "after", Qos::k0);  // not worked on before the large one is done
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t <307200 bytes>"));
  EXPECT_THAT(near.take(), ElementsAre("PUBLISH t <307200 bytes>"));
  cluster.release_held();
  EXPECT_FALSE(publisher.paused);
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t after"));
}

TEST(Forwarding, ACongestedPeerDropsQos0AndPausesQos1Publishers) {
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far = cluster.connect(1, "far");
  TestClient& near = cluster.connect(0, "near");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.subscribe(near, "t", Qos::k1);
  far.take();
  near.take();
  cluster.mail(0, PeerCongested{1, true});
  cluster.publish(publisher, "t", "drop", Qos::k0);
  EXPECT_FALSE(publisher.paused);
  EXPECT_THAT(far.take(), IsEmpty());
  EXPECT_THAT(near.take(), ElementsAre("PUBLISH t drop"));
  EXPECT_EQ(cluster.counters(0).dropped[static_cast<size_t>(DropReason::kPeerCongested)], 1u);
  cluster.publish(publisher, "t", "kept", Qos::k1, 1);
  EXPECT_TRUE(publisher.paused);
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t kept q1 id1"));
  cluster.mail(0, PeerCongested{1, false});
  EXPECT_FALSE(publisher.paused);
}

TEST(Forwarding, MessageExpiryCountsDownAcrossNodes) {  // [MQTT5-3.3.2-6]
  TestCluster cluster(three_nodes());
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& far =
      cluster.connect(1, {.client_id = "far", .edit = [](Connect& c) { c.receive_maximum = 1; }});
  cluster.subscribe(far, "t", Qos::k1);
  cluster.publish(publisher, "t", "first", Qos::k1, 3);
  far.take();
  const auto expiry = [](uint32_t s) { return [s](Publish& p) { p.message_expiry_s = s; }; };
  cluster.publish(publisher, "t", "long", Qos::k1, 1, expiry(60));
  cluster.publish(publisher, "t", "short", Qos::k1, 2, expiry(5));
  cluster.advance(Duration::seconds(10));
  cluster.ack(far, PacketType::kPubAck, 1);
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t long q1 id2 expiry=50"));  // [MQTT5-3.3.2-5]
  cluster.ack(far, PacketType::kPubAck, 2);
  EXPECT_THAT(far.take(), IsEmpty());
  EXPECT_EQ(cluster.counters(1).dropped[static_cast<size_t>(DropReason::kExpired)], 1u);
}

}  // namespace
}  // namespace shoal::test
