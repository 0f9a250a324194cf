// Wills of durable sessions, and wills alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shoal/byte_view.h"
#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::function<void(Connect&)> will(uint32_t delay_s, Qos qos = Qos::k1, bool retain = false) {
  return [=](Connect& c) {
    c.will.emplace().topic = "will";
    c.will->payload = bytes_of("gone");
    c.will->qos = qos;
    c.will->retain = retain;
    if (delay_s) c.will->delay_s = delay_s;
  };
}

TEST(StoredWill, IsPublishedByTheStoreToLiveAndDurable) {
  for (const Qos qos : {Qos::k0, Qos::k1, Qos::k2}) {
    for (const bool outlives : {true, false}) {
      TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
      TestClient& live = cluster.connect(1, "live");
      TestClient& stored = cluster.connect(1, durable("stored"));
      cluster.subscribe(live, "will", Qos::k1);
      cluster.subscribe(stored, "will", Qos::k1);
      live.take();
      stored.take();
      TestClient& client = outlives ? cluster.connect(0, durable("c", k5, will(0, qos)))
                                    : cluster.connect(0, {.client_id = "c", .edit = will(0, qos)});
      cluster.lose(client);
      const std::string line = qos == Qos::k0 ? "PUBLISH will gone" : "PUBLISH will gone q1";
      EXPECT_THAT(take(live), ElementsAre(line));
      EXPECT_THAT(take(stored), ElementsAre(line));
      EXPECT_EQ(cluster.store().outbox(), 0u);
    }
  }
}

TEST(StoredWill, ComesWhenTheNodeIsLost) {
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& live = cluster.connect(0, "live");
  cluster.subscribe(live, "will", Qos::k1);
  live.take();
  cluster.connect(1, durable("c", k5, will(0)));
  cluster.connect(1, {.client_id = "d", .edit = will(0)});
  cluster.store().lose_node(1);
  cluster.settle();
  EXPECT_EQ(live.take().size(), 2u);
}

// All but the will is the connection's: nothing is submitted for it.
TEST(StoredWill, AloneLeavesTheSessionLive) {
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, {.client_id = "c", .edit = will(0)});
  cluster.subscribe(client, "t", Qos::k2);
  cluster.subscribe(client, "$share/g/s", Qos::k2, 2);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x02", "SUBACK 2 0x02"));
  cluster.publish(publisher, "t", "x", Qos::k2, 1);
  cluster.publish(publisher, "s", "x", Qos::k2, 2);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH t x q2 id1", "PUBLISH s x q2 id2"));
  cluster.publish(client, "u", "x", Qos::k2, 1);
  cluster.ack(client, PacketType::kPubRel, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBREC 1", "PUBCOMP 1"));
  cluster.unsubscribe(client, "t", 3);
  EXPECT_THAT(client.take(), ElementsAre("UNSUBACK 3 0x00"));
  for (const char* each : {"subscribe", "unsubscribe", "ack", "receive", "release", "publish"}) {
    EXPECT_EQ(cluster.store().seen[each], 0u) << each;
  }
  cluster.lose(client);
  EXPECT_EQ(cluster.store().seen["detach"], 1u);
  EXPECT_FALSE(cluster.store().session("c"));
}

TEST(StoredWill, IsTheStoresWithAllThatItSays) {
  TestCluster cluster;
  cluster.connect(0, durable("c", k5, [](Connect& c) {
                    will(3, Qos::k2, true)(c);
                    c.will->message_expiry_s = 60;
                  }));
  const auto& stored = cluster.store().connects.at(0).will;
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->delay_s, 3u);
  EXPECT_EQ(stored->expiry_s, 60u);
  EXPECT_EQ(stored->message->topic(), "will");
  EXPECT_EQ(stored->message->qos(), Qos::k2);
  EXPECT_TRUE(stored->message->retain());
  EXPECT_EQ(stored->message->expires_at(), Instant::never());
}

TEST(StoredWill, ThatItsClientMayNotPublishIsNotStored) {
  struct Nothing : Access {
    bool may_publish(std::string_view) const override { return false; }
    bool may_subscribe(std::string_view) const override { return true; }
    bool may_receive(std::string_view) const override { return true; }
  };
  TestCluster cluster;
  cluster.credentials = [](const CredentialCheck&) {
    CredentialAnswer answer;
    answer.access = std::make_shared<Nothing>();
    return answer;
  };
  cluster.connect(0, durable("c", k5, will(0)));
  EXPECT_FALSE(cluster.store().connects.at(0).will);
  EXPECT_EQ(cluster.counters(0).dropped[static_cast<size_t>(DropReason::kNotAllowed)], 1u);
}

}  // namespace
}  // namespace shoal::test
