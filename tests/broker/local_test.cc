// Connect, subscribe and publish at one worker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Local, ConnectsAndPings) {
  TestCluster cluster;
  TestClient& client = cluster.open(0, {.client_id = "one"});
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00"));
  cluster.send(client, PingReq{});
  EXPECT_THAT(client.take(), ElementsAre("PINGRESP"));  // [MQTT5-3.12.4-1] [MQTT311-3.12.4-1]
}

TEST(Local, DeliversAtTheLowerQos) {  // [MQTT5-3.8.4-8] [MQTT311-3.8.4-6]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  uint16_t id = 0;
  for (int granted = 0; granted <= 2; ++granted) {
    TestClient& subscriber = cluster.connect(0, "s" + std::to_string(granted));
    cluster.subscribe(subscriber, "t/" + std::to_string(granted), static_cast<Qos>(granted));
    EXPECT_THAT(subscriber.take(), ElementsAre("SUBACK 1 0x0" + std::to_string(granted)));
    for (int published = 0; published <= 2; ++published) {
      if (published > 0) ++id;
      cluster.publish(publisher, "t/" + std::to_string(granted), "m", static_cast<Qos>(published),
                      published > 0 ? id : 0);
      if (published == 1) {
        EXPECT_THAT(publisher.take(), ElementsAre("PUBACK " + std::to_string(id)));
      } else if (published == 2) {
        EXPECT_THAT(publisher.take(), ElementsAre("PUBREC " + std::to_string(id)));
        cluster.ack(publisher, PacketType::kPubRel, id);
        EXPECT_THAT(publisher.take(), ElementsAre("PUBCOMP " + std::to_string(id)));
      }
      const auto lines = subscriber.take();
      ASSERT_EQ(lines.size(), 1u);
      const int qos = std::min(granted, published);
      const std::string head = "PUBLISH t/" + std::to_string(granted) + " m";
      if (qos == 0) {
        EXPECT_EQ(lines[0], head);
      } else {
        EXPECT_EQ(lines[0].substr(0, head.size() + 3), head + " q" + std::to_string(qos));
      }
    }
  }
}

}  // namespace
}  // namespace shoal::test
