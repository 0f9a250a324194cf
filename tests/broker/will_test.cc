// Wills: when they are published, and when not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct WillOptions {
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  bool clean_start = true;
  uint32_t expiry_s = 0;
  uint32_t delay_s = 0;
  bool retain = false;
  uint16_t keep_alive_s = 0;
};

ConnectOptions with_will(const WillOptions& options) {
  return {.client_id = "c",
          .version = options.version,
          .clean_start = options.clean_start,
          .keep_alive_s = options.keep_alive_s,
          .edit = [options](Connect& c) {
            Will will;
            will.topic = "will";
            static const std::string gone = "gone";
            will.payload = bytes_of(gone);
            will.qos = Qos::k1;
            will.retain = options.retain;
            if (options.delay_s) will.delay_s = options.delay_s;
            c.will = will;
            if (options.expiry_s) c.session_expiry_s = options.expiry_s;
          }};
}

class WillTest : public ::testing::Test {
 protected:
  WillTest() : cluster({.nodes = 2, .workers = 1, .config = {}}) {
    watcher = &cluster.connect(1, "watcher");
    cluster.subscribe(*watcher, "will", Qos::k0);
    watcher->take();
  }
  void expect_will() { EXPECT_THAT(watcher->take(), ElementsAre("PUBLISH will gone")); }
  void expect_none() { EXPECT_THAT(watcher->take(), IsEmpty()); }

  TestCluster cluster;
  TestClient* watcher = nullptr;
};

TEST_F(WillTest, EveryEndButDisconnect) {
  // [MQTT5-3.1.2-7] [MQTT5-3.1.2-8] [MQTT311-3.1.2-8] [MQTT5-3.1.2-10]
  for (const auto version :
       {ProtocolVersion::kMqtt31, ProtocolVersion::kMqtt311, ProtocolVersion::kMqtt5}) {
    const ConnectOptions options = with_will({.version = version, .keep_alive_s = 10});
    cluster.lose(cluster.connect(0, options));
    expect_will();
    cluster.connect(0, options);
    cluster.advance(Duration::seconds(16));  // keep-alive
    expect_will();
    TestClient& bad = cluster.connect(0, options);
    cluster.send_bytes(bad, std::vector<uint8_t>{0xFF, 0xFF, 0xFF, 0xFF, 0xFF});
    expect_will();
    TestClient& good = cluster.connect(0, options);
    cluster.send(good, Disconnect{});  // [MQTT5-3.14.4-3] [MQTT311-3.14.4-3] [MQTT311-3.1.2-10]
    expect_none();
  }
}

TEST_F(WillTest, DisconnectWithWill) {
  TestClient& client = cluster.connect(0, with_will({}));
  Disconnect packet;
  packet.reason = ReasonCode::kDisconnectWithWillMessage;
  cluster.send(client, packet);
  expect_will();
}

TEST_F(WillTest, WaitsForItsDelay) {
  cluster.lose(cluster.connect(0, with_will({.expiry_s = 100, .delay_s = 10})));
  cluster.advance(Duration::seconds(9));
  expect_none();
  cluster.advance(Duration::seconds(2));
  expect_will();
}

TEST_F(WillTest, ComesAtTheLatestWithTheEndOfTheSession) {
  cluster.lose(cluster.connect(0, with_will({.expiry_s = 5, .delay_s = 10})));
  cluster.advance(Duration::seconds(4));
  expect_none();
  cluster.advance(Duration::seconds(2));
  expect_will();
  cluster.lose(cluster.connect(0, with_will({.delay_s = 10})));  // the session ends at once
  expect_will();
}

TEST_F(WillTest, NotWhenTheClientIsBackInTime) {  // [MQTT5-3.1.3-9]
  for (const size_t where : {0u, 1u}) {
    cluster.lose(cluster.connect(0, with_will({.expiry_s = 100, .delay_s = 10})));
    cluster.advance(Duration::seconds(5));
    TestClient& again =
        cluster.connect(where, {.client_id = "c", .clean_start = false, .edit = [](Connect& c) {
                                  c.session_expiry_s = 100;
                                }});
    cluster.advance(Duration::seconds(20));
    expect_none();
    cluster.send(again, Disconnect{});
  }
}

TEST_F(WillTest, OfAConnectionThatIsTakenOver) {
  struct Row {
    uint32_t delay_s;
    bool clean_start;
    bool published;
    uint32_t expiry_s = 100;
  };
  // The last one's session has ended with its connection, so that nobody is back in time.
  const Row rows[] = {{0, false, true},
                      {0, true, true},
                      {10, true, true},
                      {10, false, false},
                      {10, false, true, 0}};
  for (const Row& row : rows) {
    for (const size_t where : {0u, 1u}) {
      cluster.connect(0, with_will({.expiry_s = row.expiry_s, .delay_s = row.delay_s}));
      TestClient& next = cluster.connect(where, {.client_id = "c", .clean_start = row.clean_start});
      if (row.published) {
        expect_will();
      } else {
        expect_none();
      }
      cluster.send(next, Disconnect{});
      cluster.advance(Duration::seconds(20));
      expect_none();
    }
  }
}

TEST_F(WillTest,
       RetainedOrNot) {  // [MQTT5-3.1.2-14] [MQTT5-3.1.2-15] [MQTT311-3.1.2-16] [MQTT311-3.1.2-17]
  cluster.lose(cluster.connect(0, with_will({})));
  EXPECT_TRUE(cluster.retained.empty());
  cluster.lose(cluster.connect(0, with_will({.retain = true})));
  EXPECT_EQ(cluster.retained.count("will"), 1u);
}

TEST_F(WillTest, NoneWithoutWillFlag) {  // [MQTT311-3.1.2-12]
  cluster.lose(cluster.connect(0, "plain"));
  expect_none();
}

TEST_F(WillTest, PropertiesStayInOrder) {  // [MQTT5-3.1.3-10]
  TestClient& client = cluster.connect(0, {.client_id = "c", .edit = [](Connect& c) {
                                             static const std::vector<uint8_t> users = [] {
                                               std::vector<uint8_t> out;
                                               append_user_property("b", "1", out);
                                               append_user_property("a", "2", out);
                                               append_user_property("b", "3", out);
                                               return out;
                                             }();
                                             Will will;
                                             will.topic = "will";
                                             will.message_expiry_s = 30;
                                             will.delay_s = 5;
                                             will.application.content_type = "text";
                                             will.application.user_properties =
                                                 UserProperties::of_valid(users);
                                             c.will = will;
                                             c.session_expiry_s = 100;
                                           }});
  cluster.lose(client);
  cluster.advance(Duration::seconds(6));
  EXPECT_THAT(watcher->take(), ElementsAre("PUBLISH will  expiry=30 type=text b=1 a=2 b=3"));
}

}  // namespace
}  // namespace shoal::test
