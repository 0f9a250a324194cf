// Shared subscriptions with durable members.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(StoredShared, DurableMembersGetTheirShareAtEveryQos) {
  for (const Qos qos : {Qos::k0, Qos::k1, Qos::k2}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& stored = cluster.connect(1, durable("stored"));
    TestClient& live = cluster.connect(1, "live");
    cluster.subscribe(stored, "$share/g/t", Qos::k2, 1, nullptr, 5);
    cluster.subscribe(live, "$share/g/t", Qos::k2);
    stored.take();
    live.take();
    for (uint16_t i = 1; i <= 40; ++i) {
      cluster.publish(publisher, "t", std::to_string(i), qos, qos == Qos::k0 ? 0 : i);
    }
    const size_t to_stored = stored.take().size(), to_live = live.take().size();
    EXPECT_GT(to_stored, 5u);
    EXPECT_GT(to_live, 5u);
    EXPECT_EQ(to_stored + to_live, 40u) << static_cast<int>(qos);
    EXPECT_EQ(cluster.store().publishes.size(), to_stored);
    EXPECT_EQ(cluster.store().publishes[0].shared, "$share/g/t");
  }
}

TEST(StoredShared, AMessageForAnAbsentMemberWaits) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& member = cluster.connect(1, durable("c"));
  cluster.subscribe(member, "$share/g/t", Qos::k1, 1, nullptr, 5);
  member.take();
  cluster.publish(publisher, "t", "now", Qos::k1, 1);
  EXPECT_THAT(take(member), ElementsAre("PUBLISH t now q1 sub=5"));
  cluster.publish(publisher, "t", "live", Qos::k0);
  EXPECT_THAT(take(member), ElementsAre("PUBLISH t live sub=5"));
  cluster.lose(member);
  cluster.publish(publisher, "t", "later", Qos::k1, 2);
  cluster.publish(publisher, "t", "lost", Qos::k0);
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1", "PUBACK 2"));
  TestClient& again = cluster.open(0, durable("c"));
  EXPECT_THAT(take(again), ElementsAre("CONNACK 0x00 present", "PUBLISH t now q1 dup sub=5",
                                       "PUBLISH t later q1 sub=5"));
}

// A live member that goes before it acknowledged: the next place may be a shard.
TEST(StoredShared, APickIsMadeAgain) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& live = cluster.connect(1, "live");
  cluster.subscribe(live, "$share/g/t", Qos::k1);
  live.take();
  cluster.publish(publisher, "t", "x", Qos::k1, 1);
  EXPECT_EQ(live.take().size(), 1u);
  TestClient& stored = cluster.connect(0, durable("stored"));
  cluster.subscribe(stored, "$share/g/t", Qos::k1);
  stored.take();
  cluster.store().holds_commits = true;
  cluster.lose(live);
  EXPECT_THAT(publisher.take(), IsEmpty());
  cluster.commit();
  EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
  EXPECT_THAT(take(stored), ElementsAre("PUBLISH t x q1"));
}

// The same of what comes out of an outbox: the leader hears that nobody there has it.
TEST(StoredShared, APickOfAnOutboxIsMadeAgain) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, durable("publisher"));
  TestClient& first = cluster.connect(1, "first");
  cluster.subscribe(first, "$share/g/t", Qos::k1);
  first.take();
  cluster.publish(publisher, "t", "x", Qos::k2, 1);
  EXPECT_THAT(take(first), ElementsAre("PUBLISH t x q1"));
  TestClient& second = cluster.connect(0, "second");
  cluster.subscribe(second, "$share/g/t", Qos::k1);
  second.take();
  cluster.lose(first);
  std::vector<uint16_t> ids;
  EXPECT_THAT(take(second, &ids), ElementsAre("PUBLISH t x q1"));
  EXPECT_EQ(cluster.store().outbox(), 1u);
  cluster.ack(second, PacketType::kPubAck, ids.at(0));
  EXPECT_EQ(cluster.store().outbox(), 0u);
}

}  // namespace
}  // namespace shoal::test
