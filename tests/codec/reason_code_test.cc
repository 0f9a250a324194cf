#include "node/codec/reason_code.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace shoal {
namespace {

// The tables of the standard by packet, which the code holds by reason: written down apart.
TEST(ReasonCode, WhereEachMayAppear) {
  const struct {
    PacketType type;
    Sender sender;
    std::set<int> reasons;
  } rows[] = {
      // 3.2.2.2 [MQTT5-3.2.2-8]
      {PacketType::kConnAck, Sender::kServer, {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                               0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                                               0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}},
      {PacketType::kConnAck, Sender::kClient, {}},
      // 3.4.2.1 [MQTT5-3.4.2-1] and 3.5.2.1 [MQTT5-3.5.2-1]
      {PacketType::kPubAck,
       Sender::kServer,
       {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
      {PacketType::kPubAck, Sender::kClient, {0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
      {PacketType::kPubRec,
       Sender::kServer,
       {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
      {PacketType::kPubRec, Sender::kClient, {0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
      // 3.6.2.1 [MQTT5-3.6.2-1] and 3.7.2.1 [MQTT5-3.7.2-1]
      {PacketType::kPubRel, Sender::kClient, {0x00, 0x92}},
      {PacketType::kPubRel, Sender::kServer, {0x00, 0x92}},
      {PacketType::kPubComp, Sender::kClient, {0x00, 0x92}},
      {PacketType::kPubComp, Sender::kServer, {0x00, 0x92}},
      // 3.9.3 [MQTT5-3.9.3-2] and 3.11.3 [MQTT5-3.11.3-2]
      {PacketType::kSubAck,
       Sender::kServer,
       {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}},
      {PacketType::kUnsubAck, Sender::kServer, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}},
      {PacketType::kSubAck, Sender::kClient, {}},
      // 3.14.2.1 [MQTT5-3.14.2-1]; 0x8C stands in table 2-6 only
      {PacketType::kDisconnect,
       Sender::kClient,
       {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}},
      {PacketType::kDisconnect,
       Sender::kServer,
       {0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
        0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2}},
      // 3.15.2.1 [MQTT5-3.15.2-1]
      {PacketType::kAuth, Sender::kClient, {0x18, 0x19}},
      {PacketType::kAuth, Sender::kServer, {0x00, 0x18}},
      {PacketType::kPublish, Sender::kClient, {}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(std::string(name_of(row.type)) +
                 (row.sender == Sender::kClient ? " client" : " server"));
    std::set<int> reasons;
    for (int code = 0; code < 256; ++code) {
      if (is_reason_of(row.type, row.sender, static_cast<ReasonCode>(code))) reasons.insert(code);
    }
    EXPECT_EQ(reasons, row.reasons);
  }
}

TEST(ReasonCode, NamesAreDistinct) {
  std::set<std::string_view> names;
  int known = 0;
  for (int code = 0; code < 256; ++code) {
    const std::string_view name = name_of(static_cast<ReasonCode>(code));
    if (name == "unknown") continue;
    ++known;
    names.insert(name);
  }
  EXPECT_EQ(known, 43);  // as many as table 2-6 has numbers
  EXPECT_EQ(names.size(), 43u);
  EXPECT_EQ(name_of(ReasonCode::kSessionTakenOver), "session_taken_over");
  EXPECT_EQ(name_of(PacketType::kUnsubAck), "UNSUBACK");
}

TEST(ReasonCode, ReturnCodesOfConnack) {
  for (uint8_t code = 0; code <= 5; ++code) {
    const auto reason = reason_of_connack_return_code(code);
    ASSERT_TRUE(reason);
    EXPECT_EQ(connack_return_code_of(*reason), code);
  }
  EXPECT_FALSE(reason_of_connack_return_code(6));
  // What has a near relative in 3.x, and what has none: then there is no CONNACK [MQTT311-3.2.2-6].
  EXPECT_EQ(connack_return_code_of(ReasonCode::kServerBusy), 3);
  EXPECT_EQ(connack_return_code_of(ReasonCode::kUseAnotherServer), 3);
  EXPECT_EQ(connack_return_code_of(ReasonCode::kBanned), 5);
  EXPECT_EQ(connack_return_code_of(ReasonCode::kMalformedPacket), std::nullopt);
  EXPECT_EQ(connack_return_code_of(ReasonCode::kProtocolError), std::nullopt);
  EXPECT_EQ(connack_return_code_of(ReasonCode::kSessionTakenOver), std::nullopt);
}

TEST(ReasonCode, SubackCodes) {  // [MQTT311-3.9.3-2]
  const struct {
    ReasonCode reason;
    uint8_t in_5, in_311, in_31;
  } rows[] = {
      {ReasonCode::kGrantedQos0, 0, 0, 0},
      {ReasonCode::kGrantedQos2, 2, 2, 2},
      {ReasonCode::kNotAuthorized, 0x87, 0x80, 0},
      {ReasonCode::kUnspecifiedError, 0x80, 0x80, 0},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(suback_code_of(row.reason, ProtocolVersion::kMqtt5), row.in_5);
    EXPECT_EQ(suback_code_of(row.reason, ProtocolVersion::kMqtt311), row.in_311);
    EXPECT_EQ(suback_code_of(row.reason, ProtocolVersion::kMqtt31), row.in_31);
  }
}

}  // namespace
}  // namespace shoal
