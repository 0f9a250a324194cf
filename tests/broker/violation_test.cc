// Clients that break a rule, and what they are told in words.
#include <optional>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// ---- violations on a connection that is up ----------------------------------------------------------

struct Violation {
  const char* what;
  std::vector<uint8_t> bytes;
  const char* told;  // 5.0; a 3.x connection is just closed [MQTT311-4.8.0-1] [MQTT311-2.2.2-2]
};

// In 5.0's form where the two differ; what only 5.0 has is marked by its name.
const Violation kViolations[] = {
    {"a reserved type", {0x00, 0}, "DISCONNECT 0x81"},
    {"a length of five bytes", {0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}, "DISCONNECT 0x81"},
    {"CONNACK from a client", {0x20, 2, 0, 0}, "DISCONNECT 0x82"},
    {"PINGRESP from a client", {0xD0, 0}, "DISCONNECT 0x82"},
    {"PUBLISH of QoS 3", {0x36, 5, 0, 1, 't', 0, 1}, "DISCONNECT 0x81"},
    {"PUBLISH to a wildcard", {0x30, 4, 0, 1, '#', 0}, "DISCONNECT 0x81"},
    {"PUBLISH with identifier 0", {0x32, 6, 0, 1, 't', 0, 0, 0}, "DISCONNECT 0x82"},
    {"PUBREL with flags 0", {0x60, 2, 0, 1}, "DISCONNECT 0x81"},
    {"SUBSCRIBE with flags 0", {0x80, 7, 0, 1, 0, 0, 1, 't', 0}, "DISCONNECT 0x81"},
    {"UNSUBSCRIBE with flags 0", {0xA0, 6, 0, 1, 0, 0, 1, 't'}, "DISCONNECT 0x81"},
    {"PINGREQ with a body", {0xC0, 1, 0}, "DISCONNECT 0x81"},
    {"DISCONNECT with flags", {0xE1, 0}, "DISCONNECT 0x81"},
    {"AUTH with flags", {0xF1, 0}, "DISCONNECT 0x81"},
};

TEST(Statement, AViolationCostsItsConnectionOnly) {
  // [MQTT5-4.13.1-1] [MQTT5-4.13.2-1] [MQTT5-3.14.4-2] [MQTT5-3.14.1-1] [MQTT311-4.8.0-1]
  for (const auto version : {k311, k5}) {
    for (const Violation& row : kViolations) {
      TestCluster cluster;
      TestClient& other = cluster.connect(0, "other");
      TestClient& client = cluster.connect(0, {.client_id = "c", .version = version});
      std::vector<uint8_t> bytes = row.bytes;
      encode_to(bytes, PingReq{}, version);  // not looked at [MQTT5-3.14.4-1]
      cluster.send_bytes(client, bytes);
      EXPECT_TRUE(client.closed) << row.what;
      if (version == k5) {
        EXPECT_THAT(client.take(), ElementsAre(row.told)) << row.what;
      } else {
        EXPECT_THAT(client.take(), IsEmpty()) << row.what;
      }
      cluster.send(other, PingReq{});
      EXPECT_THAT(other.take(), ElementsAre("PINGRESP"));
      EXPECT_EQ(cluster.counters(0).protocol_errors, 1u);
    }
  }
}

TEST(Statement, ABadConnectIsRefusedWithoutDisconnect) {
  // [MQTT5-3.1.4-1] [MQTT311-3.1.4-1] [MQTT5-3.14.0-1] [MQTT5-3.1.3-8]
  TestCluster cluster;
  TestClient& is_5 = cluster.accept(0, k5);
  cluster.send_bytes(is_5, std::vector<uint8_t>{0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 5, 0x01, 0, 0,
                                                0, 0, 0});  // the reserved flag
  EXPECT_THAT(is_5.take(), ElementsAre("CONNACK 0x81"));
  EXPECT_TRUE(is_5.closed);
  TestClient& is_3 = cluster.accept(0, k311);
  cluster.send_bytes(
      is_3, std::vector<uint8_t>{0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x03, 0, 0, 0, 1, 'c'});
  EXPECT_THAT(is_3.take(), IsEmpty());
  EXPECT_TRUE(is_3.closed);
}

TEST(Statement, UnsupportedVersion) {  // [MQTT311-3.1.2-2] [MQTT5-3.1.2-2]
  TestCluster cluster;
  TestClient& client = cluster.accept(0, k5);
  cluster.send_bytes(client,
                     std::vector<uint8_t>{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 9, 2, 0, 0, 0, 0});
  EXPECT_TRUE(client.closed);
  EXPECT_GE(client.received.size(), 4u);
}

// ---- Reason Strings --------------------------------------------------------------------------------

std::string reason_string_of(const std::vector<uint8_t>& frame) {
  Frame packet;
  EXPECT_EQ(next_frame(frame, kPacketSizeMax, packet), FrameStatus::kComplete);
  const Decoded decoded = decode_packet(packet, k5, Sender::kServer);
  if (const auto* ack = std::get_if<Ack>(&decoded))
    return std::string(ack->reason_string.value_or(""));
  if (const auto* ack = std::get_if<SubAck>(&decoded)) {
    return std::string(ack->reason_string.value_or(""));
  }
  if (const auto* end = std::get_if<Disconnect>(&decoded)) {
    return std::string(end->reason_string.value_or(""));
  }
  return "another packet";
}

class NoRights : public Access {
 public:
  bool may_publish(std::string_view) const override { return false; }
  bool may_subscribe(std::string_view) const override { return false; }
  bool may_receive(std::string_view) const override { return false; }
};

TEST(Statement, ReasonStringsOnlyWhereWantedAndWhereTheyFit) {
  // [MQTT5-3.1.2-29] [MQTT5-3.4.2-2] [MQTT5-3.5.2-2] [MQTT5-3.9.2-1] [MQTT5-3.14.2-3]
  struct Row {
    std::optional<bool> problem_information;
    std::optional<uint32_t> packet_size_max;
    bool explained;
  };
  for (const Row& row : {Row{std::nullopt, std::nullopt, true}, Row{true, std::nullopt, true},
                         Row{false, std::nullopt, false}, Row{true, 19, false}}) {
    TestCluster::Options options;
    options.config.limits.topic_alias_max = 0;
    TestCluster cluster(options);
    cluster.credentials = [](const CredentialCheck&) {
      CredentialAnswer answer;
      answer.access = std::make_shared<NoRights>();
      return answer;
    };
    TestClient& client = cluster.connect(0, {.client_id = "c", .edit = [&](Connect& c) {
                                               c.request_problem_information =
                                                   row.problem_information;
                                               c.maximum_packet_size = row.packet_size_max;
                                             }});
    cluster.publish(client, "t", "m", Qos::k1, 1);
    cluster.publish(client, "t", "m", Qos::k2, 2);
    cluster.subscribe(client, "t", Qos::k1, 3);
    const auto frames = client.take_frames();
    ASSERT_EQ(frames.size(), 3u);
    for (const auto& frame : frames) {
      EXPECT_EQ(reason_string_of(frame), row.explained ? "not_authorized" : "");
      // Never a User Property of our own: [MQTT5-3.4.2-3] [MQTT5-3.5.2-3] [MQTT5-3.9.2-2]
      // [MQTT5-3.2.2-20] [MQTT5-3.14.2-4].
      EXPECT_EQ(describe(frame, k5).find('='), std::string::npos);
      if (row.packet_size_max) EXPECT_LE(frame.size(), *row.packet_size_max);
    }
    cluster.send_bytes(client, std::vector<uint8_t>{0x00, 0});
    const auto end = client.take_frames();
    ASSERT_EQ(end.size(), 1u);
    EXPECT_EQ(reason_string_of(end[0]).empty(), row.packet_size_max.has_value());
  }
}

TEST(Statement, SomePacketsNeverHaveAReasonString) {
  // [MQTT5-3.6.2-2] [MQTT5-3.6.2-3] [MQTT5-3.7.2-2] [MQTT5-3.7.2-3] [MQTT5-3.11.2-1] [MQTT5-3.11.2-2]
  // [MQTT5-3.15.2-2] [MQTT5-3.15.2-3]: so they cannot grow too large by one.
  TestCluster cluster;
  TestClient& client = cluster.connect(0, "c");
  cluster.ack(client, PacketType::kPubRec, 77);
  cluster.ack(client, PacketType::kPubRel, 78);
  cluster.unsubscribe(client, "none", 79);
  std::vector<size_t> sizes;
  for (const auto& frame : client.take_frames()) sizes.push_back(frame.size());
  EXPECT_THAT(sizes,
              ElementsAre(5u, 5u, 6u));  // type, length, identifier, code; UNSUBACK: properties
}

}  // namespace
}  // namespace shoal::test
