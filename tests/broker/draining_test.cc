// Clients that are sent away: at which rate, and what they get before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TestCluster::Options with_other_server() {
  TestCluster::Options options;
  options.config.server_reference = "other.example:1883";
  return options;
}

TEST(Draining, ClosesAtItsRateAndRefusesNewClients) {
  TestCluster cluster(with_other_server());
  std::vector<TestClient*> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(&cluster.connect(0, "c" + std::to_string(i)));
  cluster.mail(0, Drain{5});
  EXPECT_THAT(cluster.open(0, {.client_id = "new", .version = k311}).take(),
              ElementsAre("CONNACK 0x88"));
  EXPECT_THAT(cluster.open(0, {.client_id = "new"}).take(),
              ElementsAre("CONNACK 0x9c use=other.example:1883"));
  cluster.advance(Duration::seconds(2));
  const auto closed = [&] {
    return std::count_if(clients.begin(), clients.end(), [](auto* c) { return c->closed; });
  };
  EXPECT_EQ(closed(), 10);
  EXPECT_THAT(clients[0]->take(), ElementsAre("DISCONNECT 0x9c use=other.example:1883"));
  cluster.mail(0, Drain{0});
  cluster.advance(Duration::seconds(2));
  EXPECT_EQ(closed(), 10);
  EXPECT_THAT(cluster.open(0, {.client_id = "new"}).take(), ElementsAre("CONNACK 0x00"));
}

TEST(Draining, NamesNoOtherServerWhereNoneIsConfigured) {
  TestCluster cluster;
  TestClient& here = cluster.connect(0, "here");
  cluster.mail(0, Drain{5});
  EXPECT_THAT(cluster.open(0, {.client_id = "new"}).take(), ElementsAre("CONNACK 0x9c"));
  cluster.advance(Duration::seconds(1));
  EXPECT_THAT(here.take(), ElementsAre("DISCONNECT 0x9c"));
}

// "Moved" where another server is named: without one the client would remember nothing.
TEST(Draining, SaysThatTheServerMovedWhenTheNodeLeaves) {
  TestCluster cluster(with_other_server());
  TestClient& here = cluster.connect(0, "here");
  TestClient& old = cluster.connect(0, {.client_id = "old", .version = k311});
  cluster.mail(0, Drain{100, true});
  EXPECT_THAT(cluster.open(0, {.client_id = "new", .version = k311}).take(),
              ElementsAre("CONNACK 0x88"));
  EXPECT_THAT(cluster.open(0, {.client_id = "new"}).take(),
              ElementsAre("CONNACK 0x9d use=other.example:1883"));
  cluster.advance(Duration::seconds(1));
  EXPECT_THAT(here.take(), ElementsAre("DISCONNECT 0x9d use=other.example:1883"));
  EXPECT_TRUE(old.closed);
  EXPECT_THAT(old.take(), IsEmpty());

  TestCluster nameless;
  TestClient& other = nameless.connect(0, "other");
  nameless.mail(0, Drain{100, true});
  nameless.advance(Duration::seconds(1));
  EXPECT_THAT(other.take(), ElementsAre("DISCONNECT 0x9c"));
}

TEST(Draining, TellsWhoIsLeftWhenTheNodeHasLeftWhereToGo) {
  TestCluster cluster(with_other_server());
  TestClient& late = cluster.connect(0, "late");
  cluster.mail(0, Drain{1e-6, true});
  cluster.mail(0, AllClose{});
  EXPECT_THAT(late.take(), ElementsAre("DISCONNECT 0x9d use=other.example:1883"));
}

// A subscriber on a node that is drained, with a window of one, and a publisher elsewhere.
struct DrainedSubscriber {
  DrainedSubscriber() : cluster(two_nodes()) {
    cluster.subscribe(subscriber, "t", Qos::k2);
    subscriber.take();
  }
  static TestCluster::Options two_nodes() {
    TestCluster::Options options;
    options.nodes = 2;
    return options;
  }
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& subscriber = cluster.connect(
      1, {.client_id = "subscriber", .edit = [](Connect& c) { c.receive_maximum = 1; }});
};

TEST(Draining, ASubscriberFirstGetsWhatWasAcknowledged) {
  DrainedSubscriber test;
  auto& [cluster, publisher, subscriber] = test;
  for (uint16_t i = 1; i <= 3; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), i == 2 ? Qos::k2 : Qos::k1, i);
  }
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBREC 2", "PUBACK 3"));
  cluster.mail(1, Drain{100});
  cluster.advance(Duration::millis(500));
  cluster.ack(subscriber, PacketType::kPubAck, 1);
  cluster.ack(subscriber, PacketType::kPubRec, 2);
  cluster.advance(Duration::millis(500));
  EXPECT_THAT(subscriber.take(),
              ElementsAre("PUBLISH t 1 q1 id1", "PUBLISH t 2 q2 id2", "PUBREL 2"));
  cluster.ack(subscriber, PacketType::kPubComp, 2);
  EXPECT_THAT(subscriber.take(), ElementsAre("PUBLISH t 3 q1 id3"));
  cluster.ack(subscriber, PacketType::kPubAck, 3);
  cluster.advance(Duration::millis(200));
  EXPECT_THAT(subscriber.take(), ElementsAre("DISCONNECT 0x9c"));
}

TEST(Draining, WhatComesLaterIsAcknowledgedWhenTheSubscriberHasGone) {
  DrainedSubscriber test;
  auto& [cluster, publisher, subscriber] = test;
  cluster.publish(publisher, "t", "before", Qos::k1, 1);
  cluster.mail(1, Drain{100});
  cluster.advance(Duration::millis(500));
  publisher.take();
  cluster.publish(publisher, "t", "after", Qos::k1, 2);
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.ack(subscriber, PacketType::kPubAck, 1);
  cluster.advance(Duration::millis(200));
  EXPECT_TRUE(subscriber.closed);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 2"));
}

TEST(Draining, AClientThatConfirmsNothingIsClosedNevertheless) {
  DrainedSubscriber test;
  auto& [cluster, publisher, subscriber] = test;
  for (uint16_t i = 1; i <= 2; ++i) cluster.publish(publisher, "t", "m", Qos::k1, i);
  cluster.mail(1, Drain{100});
  cluster.advance(Limits{}.dismissal_timeout - Duration::millis(200));
  EXPECT_FALSE(subscriber.closed);
  cluster.advance(Duration::millis(500));
  EXPECT_THAT(subscriber.take(), ElementsAre("PUBLISH t m q1 id1", "DISCONNECT 0x9c"));
}

TEST(Draining, WhoIsStillHereWhenItEndsStays) {
  DrainedSubscriber test;
  auto& [cluster, publisher, subscriber] = test;
  cluster.publish(publisher, "t", "before", Qos::k1, 1);
  cluster.mail(1, Drain{100});
  cluster.advance(Duration::seconds(1));
  cluster.publish(publisher, "t", "after", Qos::k1, 2);
  cluster.mail(1, Drain{0});
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBACK 2"));
  cluster.ack(subscriber, PacketType::kPubAck, 1);
  cluster.advance(Limits{}.dismissal_timeout * 2);
  EXPECT_THAT(subscriber.take(), ElementsAre("PUBLISH t before q1 id1", "PUBLISH t after q1 id2"));
  EXPECT_FALSE(subscriber.closed);
}

}  // namespace
}  // namespace shoal::test
