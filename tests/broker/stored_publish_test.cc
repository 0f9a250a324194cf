// PUBLISH where durable sessions want the message, or are the publisher.
#include <bit>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void retaining(Publish& p) { p.retain = true; }

// ---- to shards ------------------------------------------------------------------------------------------

// One copy for each shard that wants it, in one mail; none at QoS 0.
TEST(StoredPublish, GoesToTheShardsThatWantIt) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}, .shards = 8});
  TestClient& publisher = cluster.connect(0, "publisher");
  uint64_t shards = 0;
  for (int i = 0; i < 5; ++i) {
    const std::string id = "c" + std::to_string(i);
    cluster.subscribe(cluster.connect(1, durable(id)), "t", Qos::k1);
    shards |= uint64_t{1} << cluster.store().shard_of(id);
  }
  ASSERT_GT(std::popcount(shards), 1);
  cluster.publish(publisher, "t", "zero", Qos::k0);
  EXPECT_THAT(cluster.store().publishes, IsEmpty());
  cluster.publish(publisher, "t", "one", Qos::k1, 1);
  ASSERT_EQ(cluster.store().publishes.size(), 1u);
  EXPECT_EQ(cluster.store().publishes[0].shards, shards);
  EXPECT_EQ(cluster.store().publishes[0].shared, "");
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
}

TEST(StoredPublish, IsAcknowledgedWhenItIsDurable) {
  for (const auto version : {k311, k5}) {
    for (const Qos qos : {Qos::k1, Qos::k2}) {
      TestCluster cluster;
      TestClient& publisher = cluster.connect(0, {.client_id = "publisher", .version = version});
      TestClient& subscriber = cluster.connect(0, durable("c"));
      cluster.subscribe(subscriber, "t", Qos::k2);
      cluster.store().holds_commits = true;
      cluster.publish(publisher, "t", "x", qos, 1);
      EXPECT_THAT(publisher.take(), IsEmpty());
      EXPECT_EQ(cluster.counters(0).tickets_now, 1u);
      cluster.commit();
      EXPECT_THAT(publisher.take(), ElementsAre(qos == Qos::k1 ? "PUBACK 1" : "PUBREC 1"));
      EXPECT_EQ(cluster.counters(0).tickets_now, 0u);
    }
  }
}

// Withheld, never refused; after a time the publisher is sent elsewhere.
TEST(StoredPublish, ThatCannotBecomeDurableClosesItsPublisher) {
  for (const bool durable_publisher : {false, true}) {
    for (const Qos qos : {Qos::k1, Qos::k2}) {
      TestCluster cluster;
      TestClient& publisher =
          durable_publisher ? cluster.connect(0, durable("p")) : cluster.connect(0, "p");
      TestClient& subscriber = cluster.connect(0, durable("c"));
      cluster.subscribe(subscriber, "t", Qos::k2);
      cluster.store().holds_commits = true;
      cluster.publish(publisher, "t", "x", qos, 1);
      cluster.advance(Limits{}.publish_timeout - Duration::seconds(1));
      EXPECT_FALSE(publisher.closed);
      cluster.advance(Duration::seconds(2));
      EXPECT_THAT(publisher.take(), ElementsAre("DISCONNECT 0x89"));
      cluster.commit();
      EXPECT_EQ(cluster.counters(0).tickets_now, 0u);
      EXPECT_EQ(cluster.counters(0).sessions_now, 1u);
    }
  }
}

TEST(StoredPublish, OverTheQuotaIsRefused) {
  for (const auto version : {k311, k5}) {
    for (const bool durable_publisher : {false, true}) {
      TestCluster cluster;
      ConnectOptions options = durable("p", version);
      options.clean_start = !durable_publisher;
      if (!durable_publisher) options.edit = nullptr;
      TestClient& publisher = cluster.connect(0, options);
      TestClient& subscriber = cluster.connect(0, durable("c"));
      cluster.subscribe(subscriber, "t", Qos::k2);
      cluster.store().is_full = true;
      cluster.publish(publisher, "t", "x", Qos::k1, 1);
      cluster.publish(publisher, "t", "x", Qos::k2, 2);
      if (version == k5) {
        EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1 0x97", "PUBREC 2 0x97"));
      } else {
        EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBREC 2"));
      }
      cluster.store().is_full = false;
      cluster.publish(publisher, "t", "y", Qos::k2, 2);  // new again [MQTT5-4.3.3-9]
      EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 2"));
    }
  }
}

// They count no more towards Receive Maximum [MQTT5-3.3.4-7].
TEST(StoredPublish, WhatIsOverTheQuotaIsNotOpen) {
  TestCluster::Options options;
  options.config.limits.receive_maximum = 2;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, durable("p"));
  cluster.subscribe(cluster.connect(0, durable("c")), "t", Qos::k2);
  cluster.store().is_full = true;
  for (uint16_t i = 1; i <= 6; ++i) {
    cluster.publish(publisher, "t", "x", i % 2 ? Qos::k1 : Qos::k2, i);
  }
  EXPECT_EQ(publisher.take().size(), 6u);
  EXPECT_FALSE(publisher.closed);
}

// The publisher's order, on both paths.
TEST(StoredPublish, KeepsTheOrder) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, durable("p"));
  TestClient& subscriber = cluster.connect(1, durable("c"));
  cluster.subscribe(subscriber, "t", Qos::k2);
  subscriber.take();
  cluster.store().holds_commits = true;
  for (uint16_t i = 1; i <= 5; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), Qos::k1, i);
  }
  cluster.commit();
  EXPECT_THAT(take(subscriber), ElementsAre("PUBLISH t 1 q1", "PUBLISH t 2 q1", "PUBLISH t 3 q1",
                                            "PUBLISH t 4 q1", "PUBLISH t 5 q1"));
  EXPECT_THAT(publisher.take(),
              ElementsAre("PUBACK 1", "PUBACK 2", "PUBACK 3", "PUBACK 4", "PUBACK 5"));
}

TEST(StoredPublish, WaitsForTheLeaseAsEver) {
  for (const Qos qos : {Qos::k1, Qos::k2}) {
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, durable("p"));
    cluster.set_lease(false);
    cluster.publish(publisher, "t", "x", qos, 1);
    EXPECT_EQ(cluster.store().seen["receive"], 0u);
    EXPECT_THAT(publisher.take(), IsEmpty());
    cluster.set_lease(true);
    EXPECT_THAT(publisher.take(), ElementsAre(qos == Qos::k1 ? "PUBACK 1" : "PUBREC 1"));
    EXPECT_EQ(cluster.store().seen["receive"], qos == Qos::k1 ? 0u : 1u);
  }
}

// ---- QoS 2 of a durable publisher -------------------------------------------------------------------------

// [MQTT5-4.3.3-10] [MQTT311-4.3.3-2], on whatever node the repeat comes.
TEST(StoredReceive, ARepeatOnAnotherNodeIsDeliveredOnce) {
  for (const auto version : {k311, k5}) {
    TestCluster cluster({.nodes = 3, .workers = 1, .config = {}});
    TestClient& live = cluster.connect(2, "live");
    TestClient& stored = cluster.connect(2, durable("stored"));
    cluster.subscribe(live, "t", Qos::k2);
    cluster.subscribe(stored, "t", Qos::k2);
    live.take();
    stored.take();
    TestClient& first = cluster.connect(0, durable("p", version));
    cluster.publish(first, "t", "x", Qos::k2, 7);
    EXPECT_THAT(first.take(), ElementsAre("PUBREC 7"));
    EXPECT_TRUE(cluster.store().has_received("p", 7));
    cluster.lose(first);
    TestClient& again = cluster.connect(1, durable("p", version));
    cluster.publish(again, "t", "x", Qos::k2, 7, [](Publish& p) { p.dup = true; });
    cluster.ack(again, PacketType::kPubRel, 7);
    EXPECT_THAT(again.take(), ElementsAre("PUBREC 7", "PUBCOMP 7"));
    EXPECT_FALSE(cluster.store().has_received("p", 7));
    EXPECT_THAT(take(live), ElementsAre("PUBLISH t x q2"));
    EXPECT_THAT(take(stored), ElementsAre("PUBLISH t x q2"));
    cluster.publish(again, "t", "y", Qos::k2, 7);  // new again [MQTT5-4.3.3-12]
    EXPECT_THAT(take(live), ElementsAre("PUBLISH t y q2"));
    EXPECT_THAT(take(stored), ElementsAre("PUBLISH t y q2"));
    EXPECT_EQ(cluster.store().publishes.size(), 0u);  // from the outbox, not from the worker
  }
}

// Of two with the same identifier in a row each is answered, and one is delivered.
TEST(StoredReceive, ARepeatOnTheSameConnectionIsAnswered) {
  enum class Waits { kNot, kForTheStore, kForTheLease };
  for (const Waits waits : {Waits::kNot, Waits::kForTheStore, Waits::kForTheLease}) {
    TestCluster cluster;
    TestClient& live = cluster.connect(0, "live");
    cluster.subscribe(live, "t", Qos::k2);
    live.take();
    TestClient& publisher = cluster.connect(0, durable("p", k311));
    cluster.store().holds_commits = waits == Waits::kForTheStore;
    cluster.set_lease(waits != Waits::kForTheLease);
    cluster.publish(publisher, "t", "x", Qos::k2, 7);
    cluster.publish(publisher, "t", "x", Qos::k2, 7, [](Publish& p) { p.dup = true; });
    cluster.set_lease(true);
    cluster.commit();
    EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 7", "PUBREC 7"));
    EXPECT_THAT(take(live), ElementsAre("PUBLISH t x q2"));
  }
}

TEST(StoredReceive, PubrecAndPubcompWaitUntilTheyAreDurable) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, durable("p"));
  cluster.store().holds_commits = true;
  cluster.publish(publisher, "t", "x", Qos::k2, 7);
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.commit();
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 7"));
  cluster.store().holds_commits = true;
  cluster.ack(publisher, PacketType::kPubRel, 7);
  EXPECT_THAT(publisher.take(), IsEmpty());
  EXPECT_TRUE(cluster.store().has_received("p", 7));
  cluster.commit();
  EXPECT_THAT(publisher.take(), ElementsAre("PUBCOMP 7"));
  EXPECT_FALSE(cluster.store().has_received("p", 7));
}

TEST(StoredReceive, ReceiveMaximumHolds) {  // [MQTT5-3.3.4-7]
  TestCluster::Options options;
  options.config.limits.receive_maximum = 2;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, durable("p"));
  for (uint16_t i = 1; i <= 10; ++i) {  // finished ones count no more
    cluster.publish(publisher, "t", "x", Qos::k2, i);
    cluster.ack(publisher, PacketType::kPubRel, i);
  }
  cluster.publish(publisher, "t", "x", Qos::k2, 11);
  cluster.publish(publisher, "t", "x", Qos::k1, 12);
  cluster.publish(publisher, "t", "x", Qos::k2, 13);
  publisher.take();
  EXPECT_FALSE(publisher.closed);
  cluster.publish(publisher, "t", "x", Qos::k2, 14);
  EXPECT_THAT(publisher.take(), ElementsAre("DISCONNECT 0x93"));
}

// Its retained message is written before the store has it, and so before PUBREC; what follows waits for it.
TEST(StoredReceive, RetainIsWrittenBeforePubrec) {
  TestCluster cluster;
  TestClient& live = cluster.connect(0, "live");
  cluster.subscribe(live, "t", Qos::k2);
  live.take();
  TestClient& publisher = cluster.connect(0, durable("p"));
  cluster.hold_retained = true;
  cluster.publish(publisher, "t", "x", Qos::k2, 1, retaining);
  cluster.publish(publisher, "t", "y", Qos::k2, 2);
  cluster.publish(publisher, "t", "z", Qos::k2, 3, retaining);
  EXPECT_THAT(publisher.take(), IsEmpty());
  EXPECT_TRUE(cluster.retained.contains("t"));
  EXPECT_EQ(cluster.store().seen["receive"], 0u);
  cluster.mail(0, RetainDone{2});
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.mail(0, RetainDone{1});
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1", "PUBREC 2", "PUBREC 3"));
  EXPECT_THAT(take(live), ElementsAre("PUBLISH t x q2", "PUBLISH t y q2", "PUBLISH t z q2"));
}

// Another client's newer one would be lost.
TEST(StoredReceive, ARepeatDoesNotWriteItsRetainedMessageAgain) {
  for (const auto version : {k311, k5}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& other = cluster.connect(1, "other");
    TestClient& first = cluster.connect(0, durable("p", version));
    const auto retained = [&] { return std::string(text_of(cluster.retained["t"]->payload())); };
    cluster.publish(first, "t", "old", Qos::k2, 7, retaining);
    cluster.publish(other, "t", "new", Qos::k1, 1, retaining);
    cluster.publish(first, "t", "old", Qos::k2, 7, retaining);
    EXPECT_THAT(first.take(), ElementsAre("PUBREC 7", "PUBREC 7"));
    EXPECT_EQ(retained(), "new");
    cluster.lose(first);
    TestClient& again = cluster.connect(1, durable("p", version));
    cluster.publish(again, "t", "old", Qos::k2, 7, retaining);
    EXPECT_EQ(retained(), "new");
    cluster.ack(again, PacketType::kPubRel, 7);
    cluster.publish(again, "t", "newest", Qos::k2, 7, retaining);
    EXPECT_THAT(again.take(), ElementsAre("PUBREC 7", "PUBCOMP 7", "PUBREC 7"));
    EXPECT_EQ(retained(), "newest");
  }
}

// What the store was not told yet is forgotten, and new when it comes again.
TEST(StoredReceive, AConnectionThatEndsWhileItsRetainedMessageIsWritten) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& live = cluster.connect(1, "live");
  cluster.subscribe(live, "t", Qos::k2);
  live.take();
  TestClient& first = cluster.connect(0, durable("p"));
  cluster.hold_retained = true;
  cluster.publish(first, "t", "x", Qos::k2, 1, retaining);
  cluster.publish(first, "t", "y", Qos::k2, 2);
  cluster.lose(first);
  cluster.mail(0, RetainDone{1});
  EXPECT_EQ(cluster.counters(0).tickets_now, 0u);
  EXPECT_EQ(cluster.store().seen["receive"], 0u);
  cluster.hold_retained = false;
  TestClient& again = cluster.connect(1, durable("p"));
  cluster.publish(again, "t", "x", Qos::k2, 1, retaining);
  cluster.publish(again, "t", "y", Qos::k2, 2);
  EXPECT_THAT(again.take(), ElementsAre("PUBREC 1", "PUBREC 2"));
  EXPECT_THAT(take(live), ElementsAre("PUBLISH t x q2", "PUBLISH t y q2"));
}

TEST(StoredReceive, PubrelBeforePubrecIsAViolation) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, durable("p"));
  cluster.hold_retained = true;
  cluster.publish(publisher, "t", "x", Qos::k2, 1, retaining);
  cluster.publish(publisher, "t", "y", Qos::k2, 2);
  cluster.ack(publisher, PacketType::kPubRel, 2);
  EXPECT_THAT(publisher.take(), ElementsAre("DISCONNECT 0x82"));
  cluster.mail(0, RetainDone{1});
  EXPECT_EQ(cluster.counters(0).tickets_now, 0u);
}

// Who needs no store for it gets it. 3.x has no name for that, and is acknowledged.
TEST(StoredPublish, WhatIsTooLargeToKeepIsRefusedAndCounted) {
  TestCluster::Options options;
  options.config.limits.durable_payload_max = 1000;
  TestCluster cluster(options);
  TestClient& live = cluster.connect(0, "live");
  cluster.subscribe(live, "t", Qos::k1);
  TestClient& keeper = cluster.connect(0, durable("keeper"));
  cluster.subscribe(keeper, "t", Qos::k1);
  live.take();
  keeper.take();
  TestClient& publisher = cluster.connect(0, "p");
  cluster.publish(publisher, "t", payload_of(1001), Qos::k1, 1);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1 0x97"));
  EXPECT_EQ(live.take().size(), 1u);
  EXPECT_THAT(keeper.take(), IsEmpty());
  cluster.publish(publisher, "t", payload_of(1000), Qos::k1, 2);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 2"));
  EXPECT_EQ(keeper.take().size(), 1u);

  TestClient& durable_one = cluster.connect(0, durable("d"));
  cluster.publish(durable_one, "t", payload_of(1001), Qos::k2, 1);
  EXPECT_THAT(durable_one.take(), ElementsAre("PUBREC 1 0x97"));
}

TEST(StoredReceive, ALargeOneIsHeldAsEver) {
  TestCluster::Options options;
  options.config.limits.large_payload = 1000;
  TestCluster cluster(options);
  TestClient& live = cluster.connect(0, "live");
  cluster.subscribe(live, "t", Qos::k1);
  live.take();
  TestClient& publisher = cluster.connect(0, durable("p"));
  cluster.store().holds_commits = true;
  const std::string payload = payload_of(2000);
  cluster.publish(publisher, "t", payload, Qos::k2, 1);
  EXPECT_TRUE(publisher.paused);
  cluster.commit();
  EXPECT_FALSE(publisher.paused);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1"));
  EXPECT_EQ(live.take().size(), 1u);
}

// A batch from a shard is answered: what is not accepted stays in the outbox.
TEST(StoredReceive, TheOutboxWaitsForLiveSubscribers) {
  TestCluster::Options options = {.nodes = 2, .workers = 1, .config = {}};
  options.config.limits.queued_max = 1;
  options.config.limits.inflight_max = 1;
  TestCluster cluster(options);
  TestClient& live = cluster.connect(1, "live");
  cluster.subscribe(live, "t", Qos::k1);
  live.take();
  TestClient& publisher = cluster.connect(0, durable("p"));
  for (uint16_t i = 1; i <= 3; ++i) cluster.publish(publisher, "t", "x", Qos::k2, i);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1", "PUBREC 2", "PUBREC 3"));
  EXPECT_EQ(cluster.store().outbox(), 1u);  // one sent, one queued
  cluster.ack(live, PacketType::kPubAck, 1);
  EXPECT_EQ(cluster.store().outbox(), 0u);
}

}  // namespace
}  // namespace shoal::test
