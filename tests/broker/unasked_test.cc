// Claims that are granted with the word that the store has nothing of the client id.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Unasked : public testing::Test {
 protected:
  Unasked() { cluster_.knows_store = true; }
  size_t asked() { return cluster_.store().connects.size(); }

  TestCluster cluster_{{.nodes = 2, .workers = 2, .config = {}}};
};

TEST_F(Unasked, AVolatileConnectIsLetInAtOnce) {
  cluster_.store().holds_commits = true;
  for (const auto version : {k311, k5}) {
    TestClient& client =
        cluster_.open(0, {.client_id = "c" + std::to_string(asked()), .version = version});
    EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00"));
    cluster_.subscribe(client, "t", Qos::k1);
    EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x01"));
    cluster_.lose(client);
  }
  EXPECT_EQ(asked(), 0u);
  EXPECT_EQ(cluster_.counters(0).sessions_now, 0u);
}

TEST_F(Unasked, WhatIsToBeStoredAsks) {
  cluster_.connect(0, durable("5", k5));
  cluster_.connect(0, durable("3", k311));
  EXPECT_EQ(asked(), 2u);
  cluster_.connect(0, {.client_id = "will", .edit = [](Connect& c) {
                         Will will;
                         will.topic = "t";
                         c.will = will;
                       }});
  EXPECT_EQ(asked(), 3u);
  // Clean start, but kept from then on.
  cluster_.connect(0, {.client_id = "kept", .edit = [](Connect& c) { c.session_expiry_s = 1; }});
  EXPECT_EQ(asked(), 4u);
}

// [MQTT5-3.1.2-4] [MQTT311-3.1.2-6]
TEST_F(Unasked, ACleanStartDiscardsWhatIsStored) {
  for (const size_t where : {0u, 1u, 2u}) {
    cluster_.lose(cluster_.connect(0, durable("c")));
    EXPECT_TRUE(cluster_.store().session("c"));
    const size_t before = asked();
    cluster_.lose(cluster_.connect(where, "c"));
    EXPECT_EQ(asked(), before + 1);
    EXPECT_FALSE(cluster_.store().session("c"));
    TestClient& again = cluster_.open(where, durable("c"));
    EXPECT_THAT(again.take(), ElementsAre("CONNACK 0x00"));
    cluster_.lose(again);
    cluster_.lose(cluster_.connect(0, "c"));
  }
}

// The older connection at another worker is gone when the claim is granted.
TEST_F(Unasked, ATakeOverElsewhereAsksNobody) {
  TestClient& old = cluster_.connect(0, "c");
  for (const size_t where : {1u, 2u}) {
    TestClient& next = cluster_.open(where, {.client_id = "c"});
    EXPECT_THAT(next.take(), ElementsAre("CONNACK 0x00"));
    EXPECT_TRUE(old.closed);
  }
  EXPECT_EQ(asked(), 0u);
}

// At the same worker it may have something on its way to the store: what the hub knew of the store when
// it granted the claim says nothing of that.
TEST_F(Unasked, WhoTakesOverHereAsks) {
  TestClient& old = cluster_.connect(0, "c");
  TestClient& next = cluster_.open(0, {.client_id = "c"});
  EXPECT_THAT(old.take(), ElementsAre("DISCONNECT 0x8e"));
  EXPECT_THAT(next.take(), ElementsAre("CONNACK 0x00"));
  EXPECT_EQ(asked(), 1u);

  cluster_.store().holds_commits = true;
  TestClient& waiting = cluster_.open(0, durable("d"));
  TestClient& clean = cluster_.open(0, {.client_id = "d"});
  EXPECT_TRUE(waiting.closed);
  EXPECT_THAT(clean.take(), IsEmpty());
  cluster_.commit();
  EXPECT_THAT(clean.take(), ElementsAre("CONNACK 0x00"));
  cluster_.lose(clean);
  EXPECT_FALSE(cluster_.store().session("d"));
}

TEST_F(Unasked, AConnectionThatIsGoneMeanwhileGivesItsClaimBack) {
  cluster_.mail(
      0, ClaimAnswer{.conn = {77, 3}, .client_id = "gone", .stamp = {}, .is_nothing_stored = true});
  EXPECT_EQ(cluster_.hub_log.back(), "release gone");
  EXPECT_EQ(cluster_.counters(0).sessions_now, 0u);
}

TEST_F(Unasked, ItIsTakenOverLikeAnyOther) {
  TestClient& first = cluster_.connect(0, "c");
  TestClient& kept = cluster_.connect(1, durable("c"));
  EXPECT_THAT(first.take(), ElementsAre("DISCONNECT 0x8e"));
  EXPECT_FALSE(kept.closed);
  EXPECT_THAT(cluster_.store().connects, SizeIs(1));
}

// [MQTT5-3.1.2-24]
TEST_F(Unasked, AConnackThatIsTooLargeLeavesNothing) {
  TestClient& client =
      cluster_.open(0, {.client_id = "c", .edit = [](Connect& c) { c.maximum_packet_size = 4; }});
  EXPECT_TRUE(client.closed);
  EXPECT_THAT(client.take(), IsEmpty());
  EXPECT_EQ(cluster_.counters(0).sessions_now, 0u);
  EXPECT_EQ(cluster_.hub_log.back(), "release c");
}

}  // namespace
}  // namespace shoal::test
