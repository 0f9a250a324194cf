// What a 3.x client leaves unacknowledged is sent again while it is connected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Owing {
  TestClient& client;
  std::vector<uint16_t> ids;
};

// A client with a QoS 1 message and a released QoS 2 message that it has not acknowledged.
Owing owing(TestCluster& cluster, ProtocolVersion version) {
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c", version));
  cluster.subscribe(client, "t", Qos::k2);
  cluster.publish(publisher, "t", "1", Qos::k1, 1);
  cluster.publish(publisher, "t", "2", Qos::k2, 2);
  std::vector<uint16_t> ids;
  take(client, &ids);
  cluster.ack(client, PacketType::kPubRec, ids[1]);
  client.take();
  return {client, ids};
}

TEST(Retry, GoesOnUntilTheAcknowledgement) {  // [MQTT311-4.3.2-1] [MQTT311-4.3.3-1]
  TestCluster cluster;
  auto [client, ids] = owing(cluster, k311);
  for (int i = 0; i < 3; ++i) {
    cluster.advance(Duration::millis(20'200));
    EXPECT_THAT(take(client), ElementsAre("PUBLISH t 1 q1 dup", "PUBREL"));
  }
  cluster.ack(client, PacketType::kPubAck, ids[0]);
  cluster.ack(client, PacketType::kPubComp, ids[1]);
  cluster.advance(Duration::seconds(60));
  EXPECT_THAT(client.take(), IsEmpty());
}

TEST(Retry, OfWhatWasSentAgainOnANewConnection) {
  TestCluster cluster;
  cluster.lose(owing(cluster, k311).client);
  TestClient& again = cluster.connect(0, durable("c", k311));
  EXPECT_THAT(take(again), ElementsAre("PUBLISH t 1 q1 dup", "PUBREL"));
  cluster.advance(Duration::seconds(19));
  EXPECT_THAT(again.take(), IsEmpty());
  cluster.advance(Duration::seconds(2));
  EXPECT_THAT(take(again), ElementsAre("PUBLISH t 1 q1 dup", "PUBREL"));
}

TEST(Retry, ZeroMeansOnANewConnectionOnly) {
  TestCluster::Options options;
  options.config.limits.retry_interval = Duration{};
  TestCluster cluster(options);
  TestClient& client = owing(cluster, k311).client;
  cluster.advance(Duration::seconds(300));
  EXPECT_THAT(client.take(), IsEmpty());
  cluster.lose(client);
  EXPECT_THAT(take(cluster.connect(0, durable("c", k311))),
              ElementsAre("PUBLISH t 1 q1 dup", "PUBREL"));
}

TEST(Retry, DupOfPubrelIsFor31Alone) {  // [MQTT311-2.2.2-1]
  for (const auto version : {k31, k311}) {
    TestCluster cluster;
    TestClient& client = owing(cluster, version).client;
    cluster.advance(Duration::seconds(21));
    const auto frames = client.take_frames();
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0][0], 0x3A);
    EXPECT_EQ(frames[1][0], version == k31 ? 0x6A : 0x62);
  }
}

}  // namespace
}  // namespace shoal::test
