// Clients that only publish go to the worker that has their subscribers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint8_t kStreak = 3;

// Workers 0 and 1 of one node, worker 2 and 3 of another.
struct Moving : ::testing::Test {
  Moving() {
    TestCluster::Options options;
    options.nodes = 2;
    options.workers = 2;
    options.config.limits.away_streak = kStreak;
    cluster.emplace(options);
    cluster->moves = true;
  }

  void publish_often(TestClient& client, Qos qos = Qos::k0, std::string_view topic = "t") {
    for (uint16_t i = 0; i < kStreak; ++i) {
      const auto id = static_cast<uint16_t>(qos == Qos::k0 ? 0 : 100 + i);
      cluster->publish(client, topic, "m", qos, id);
      if (qos == Qos::k2) cluster->ack(client, PacketType::kPubRel, id);
    }
  }

  std::optional<TestCluster> cluster;
};

TEST_F(Moving, APublisherGoesToWhereItsSubscriberIs) {
  for (const Qos qos : {Qos::k0, Qos::k1, Qos::k2}) {
    const std::string name = "p" + std::to_string(static_cast<int>(qos));
    TestClient& far = cluster->connect(1, "s" + name);
    cluster->subscribe(far, name, Qos::k0);
    far.take();
    TestClient& client = cluster->connect(0, name);
    publish_often(client, qos, name);
    EXPECT_EQ(client.broker, 1u) << name;
    const uint64_t forwarded = cluster->counters(0).forwarded_local;
    client.take();
    far.take();
    cluster->publish(client, name, "after", Qos::k1, 7);
    EXPECT_THAT(client.take(), ElementsAre("PUBACK 7"));
    EXPECT_THAT(far.take(), ElementsAre("PUBLISH " + name + " after"));
    EXPECT_EQ(cluster->counters(0).forwarded_local, forwarded);
  }
  EXPECT_EQ(cluster->counters(0).moves, 3u);
  EXPECT_EQ(cluster->counters(0).connected_now, 0u);
  EXPECT_EQ(cluster->counters(1).connected_now, 6u);
}

TEST_F(Moving, WhoseMessagesAreWantedElsewhereTooStays) {
  TestClient& near = cluster->connect(0, "near");
  TestClient& far = cluster->connect(1, "far");
  TestClient& other = cluster->connect(2, "other");
  TestClient& client = cluster->connect(0, "p");
  cluster->subscribe(far, "#", Qos::k0);
  cluster->subscribe(near, "near", Qos::k0);
  cluster->subscribe(other, "other", Qos::k0);
  cluster->subscribe(near, "$share/g/shared", Qos::k0);
  publish_often(client, Qos::k0, "near");
  publish_often(client, Qos::k0, "other");
  publish_often(client, Qos::k0, "shared");
  EXPECT_EQ(client.broker, 0u);
  cluster->publish(client, "t", "m", Qos::k0);
  cluster->publish(client, "t", "m", Qos::k0);
  cluster->publish(client, "near", "m", Qos::k0);
  cluster->publish(client, "t", "m", Qos::k0);
  EXPECT_EQ(client.broker, 0u) << "not in a row";
  publish_often(client);
  EXPECT_EQ(client.broker, 1u);
}

TEST_F(Moving, WhoHasMoreThanPublishesStays) {
  TestClient& far = cluster->connect(1, "far");
  cluster->subscribe(far, "t", Qos::k0);
  TestClient& subscriber = cluster->connect(0, "subscriber");
  cluster->subscribe(subscriber, "x", Qos::k0);
  publish_often(subscriber);
  EXPECT_EQ(subscriber.broker, 0u);
  cluster->unsubscribe(subscriber, "x", 9);
  publish_often(subscriber);
  EXPECT_EQ(subscriber.broker, 1u);

  TestClient& durable = cluster->connect(0, {.client_id = "durable", .edit = [](Connect& connect) {
                                               connect.session_expiry_s = 100;
                                             }});
  publish_often(durable);
  EXPECT_EQ(durable.broker, 0u);
}

TEST_F(Moving, ItWaitsUntilNothingIsOpen) {
  TestClient& far = cluster->connect(1, "far");
  cluster->subscribe(far, "t", Qos::k0);
  TestClient& client = cluster->connect(0, "p");
  cluster->publish(client, "t", "open", Qos::k2, 1);  // its PUBREL is to come
  publish_often(client);
  EXPECT_EQ(client.broker, 0u);
  cluster->ack(client, PacketType::kPubRel, 1);
  EXPECT_EQ(client.broker, 1u);
  EXPECT_THAT(client.take(), ElementsAre("PUBREC 1", "PUBCOMP 1"));

  // Half a packet is here.
  TestClient& half = cluster->connect(0, "half");
  std::vector<uint8_t> bytes;
  for (int i = 0; i < kStreak + 1; ++i) {
    Publish packet;
    packet.topic = "t";
    encode_to(bytes, packet, half.version);
  }
  const size_t cut = bytes.size() - 2;
  cluster->send_bytes(half, std::span(bytes).first(cut));
  EXPECT_EQ(half.broker, 0u);
  cluster->send_bytes(half, std::span(bytes).subspan(cut));
  EXPECT_EQ(half.broker, 1u);
}

TEST_F(Moving, WhatTheConnectionAgreedOnGoesWithIt) {
  TestClient& far = cluster->connect(1, "far");
  cluster->subscribe(far, "t", Qos::k0);
  far.take();
  TestClient& client =
      cluster->connect(0, {.client_id = "p", .keep_alive_s = 10, .edit = [](Connect& connect) {
                             connect.user_name = "u";
                           }});
  cluster->publish(client, "t", "m", Qos::k0, 0, [](Publish& p) { p.topic_alias = 3; });
  publish_often(client);
  ASSERT_EQ(client.broker, 1u);
  far.take();
  cluster->publish(client, "", "by alias", Qos::k0, 0, [](Publish& p) { p.topic_alias = 3; });
  EXPECT_THAT(far.take(), ElementsAre("PUBLISH t by alias"));
  bool is_found = false;
  cluster->broker(1).for_each_session([&](const SessionInfo& session) {
    if (session.client_id == "p") is_found = session.user == "u" && session.address != "";
  });
  EXPECT_TRUE(is_found);
  cluster->advance(Duration::seconds(14));
  EXPECT_FALSE(client.closed);
  cluster->advance(Duration::seconds(2));
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x8d"));
}

TEST_F(Moving, ALaterConnectionTakesOverWhereverItHasGone) {
  for (const bool is_known : {false, true}) {
    for (const size_t where : {0u, 1u, 2u}) {
      const std::string name = "p" + std::to_string(where) + (is_known ? "k" : "");
      TestClient& far = cluster->connect(1, "s" + name);
      cluster->subscribe(far, name, Qos::k0);
      TestClient& client = cluster->connect(0, name);
      cluster->hold_moves = !is_known;
      publish_often(client, Qos::k0, name);
      ASSERT_EQ(client.broker, 1u);
      TestClient& next = cluster->open(where, {.client_id = name});
      EXPECT_TRUE(client.closed) << name;
      EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x8e"));
      cluster->hold_moves = false;
      cluster->release_held();
      EXPECT_THAT(next.take(), ElementsAre("CONNACK 0x00")) << name;
      EXPECT_FALSE(next.closed);
      // The hub and all workers agree on who has the id.
      TestClient& last = cluster->connect(3, name);
      EXPECT_THAT(next.take(), ElementsAre("DISCONNECT 0x8e")) << name;
      EXPECT_FALSE(last.closed);
    }
  }
}

TEST_F(Moving, ItGivesItsClientIdBackFromWhereItIs) {
  TestClient& far = cluster->connect(1, "far");
  cluster->subscribe(far, "t", Qos::k0);
  TestClient& client = cluster->connect(0, "p");
  publish_often(client);
  ASSERT_EQ(client.broker, 1u);
  cluster->hub_log.clear();
  cluster->lose(client);
  EXPECT_THAT(cluster->hub_log, ElementsAre("release p"));
}

TEST_F(Moving, ItGoesBackAndForth) {
  TestClient& one = cluster->connect(1, "one");
  cluster->subscribe(one, "to/one", Qos::k0);
  TestClient& zero = cluster->connect(0, "zero");
  cluster->subscribe(zero, "to/zero", Qos::k0);
  TestClient& client = cluster->connect(0, "p");
  cluster->hold_moves = true;
  for (int i = 0; i < 3; ++i) {
    publish_often(client, Qos::k1, "to/one");
    EXPECT_EQ(client.broker, 1u);
    publish_often(client, Qos::k1, "to/zero");
    EXPECT_EQ(client.broker, 0u);
  }
  cluster->hold_moves = false;
  cluster->release_held();
  cluster->connect(2, "p");
  EXPECT_TRUE(client.closed);
}

// All was closed while it was on its way: where it comes to is done with that already.
TEST_F(Moving, WhoComesBehindTheEndOfAllEndsToo) {
  TestClient& far = cluster->connect(1, "far");
  cluster->subscribe(far, "t", Qos::k0);
  TestClient& client = cluster->connect(0, "p");
  cluster->mail(1, AllClose{});
  ASSERT_TRUE(far.closed);
  cluster->on_broker(0, [](Broker& broker) { broker.offer_publishers(1, 1); });
  cluster->publish(client, "t", "m", Qos::k0);
  EXPECT_EQ(client.broker, 1u);
  EXPECT_TRUE(client.closed);
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x89"));
}

TEST_F(Moving, AWorkerWithMuchToDoOffersPublishers) {
  TestClient& near = cluster->connect(0, "near");
  cluster->subscribe(near, "t", Qos::k0);
  near.take();
  TestClient& first = cluster->connect(0, "first");
  TestClient& second = cluster->connect(0, "second");
  cluster->on_broker(0, [](Broker& broker) { broker.offer_publishers(1, 1); });
  cluster->publish(near, "t", "mine", Qos::k0);
  cluster->publish(first, "t", "1", Qos::k0);
  cluster->publish(second, "t", "2", Qos::k0);
  cluster->publish(first, "t", "3", Qos::k0);
  EXPECT_EQ(near.broker, 0u);
  EXPECT_EQ(first.broker, 1u);
  EXPECT_EQ(second.broker, 0u);
  EXPECT_THAT(near.take(),
              ElementsAre("PUBLISH t mine", "PUBLISH t 1", "PUBLISH t 2", "PUBLISH t 3"));
  cluster->on_broker(0, [](Broker& broker) { broker.offer_publishers(1, 0); });
  cluster->publish(second, "t", "4", Qos::k0);
  EXPECT_EQ(second.broker, 0u);
}

// The runtime may have had a reason not to.
TEST_F(Moving, AWishThatIsNotGrantedComesAgain) {
  TestClient& far = cluster->connect(1, "far");
  cluster->subscribe(far, "t", Qos::k0);
  TestClient& client = cluster->connect(0, "p");
  cluster->moves = false;
  publish_often(client);
  EXPECT_EQ(client.broker, 0u);
  cluster->moves = true;
  publish_often(client);
  EXPECT_EQ(client.broker, 1u);
}

}  // namespace
}  // namespace shoal::test
