// Every row of the malformed table is refused, with its reason code and, of a CONNECT, the version
// that the refusal is written in.
#include <gtest/gtest.h>

#include "node/codec/decode.h"
#include "tests/codec/malformed_packets.h"
#include "tests/codec/malformed_properties.h"

namespace shoal {
namespace {

Malformed verdict_on(const MalformedCase& row, Sender sender) {
  Frame frame;
  switch (next_frame(row.bytes, kPacketSizeMax, frame)) {
    case FrameStatus::kMalformed: return {ReasonCode::kMalformedPacket, "frame", {}};
    case FrameStatus::kComplete: break;
    default: ADD_FAILURE() << "no whole frame"; return {};
  }
  EXPECT_EQ(frame.size, row.bytes.size());
  const Decoded decoded = decode_packet(frame, row.version, sender);
  if (const auto* malformed = std::get_if<Malformed>(&decoded)) return *malformed;
  return {ReasonCode::kSuccess, "accepted", {}};
}

void expect_refused(const std::vector<MalformedCase>& rows, Sender sender) {
  for (const MalformedCase& row : rows) {
    SCOPED_TRACE(row.name + " (version " + std::to_string(static_cast<int>(row.version)) +
                 "): " + hex_of(row.bytes));
    const Malformed verdict = verdict_on(row, sender);
    EXPECT_EQ(name_of(verdict.reason), name_of(row.reason)) << verdict.detail;
    EXPECT_FALSE(verdict.detail.empty());
    EXPECT_EQ(verdict.answer_as, row.answer_as);
  }
}

TEST(Malformed, PacketsByHand) { expect_refused(malformed_packets(), Sender::kClient); }

TEST(Malformed, EveryPropertyInEveryPacketOfAClient) {
  const std::vector<MalformedCase> rows = malformed_properties();
  EXPECT_GT(rows.size(), 900u);
  expect_refused(rows, Sender::kClient);
}

TEST(Malformed, EveryPropertyInEveryPacketOfAServer) {
  const std::vector<MalformedCase> rows =
      malformed_properties(malformed_properties_detail::server_places());
  EXPECT_GT(rows.size(), 500u);
  expect_refused(rows, Sender::kServer);
}

TEST(Malformed, PacketsOfAServer) {
  constexpr ReasonCode kMalformed = ReasonCode::kMalformedPacket;
  constexpr ReasonCode kProtocol = ReasonCode::kProtocolError;
  const struct {
    const char* name;
    ProtocolVersion version;
    const char* bytes;
    ReasonCode reason;
  } rows[] = {
      {"[MQTT5-3.2.2-1] reserved acknowledge flags", k5, "20 03 02 00 00", kMalformed},
      {"[MQTT5-3.2.2-6] session present in a refusal", k5, "20 03 01 87 00", kProtocol},
      {"[MQTT311-3.2.2-4] session present in a refusal", k311, "20 02 01 05", kProtocol},
      {"[MQTT5-3.2.2-8] not a CONNACK's reason", k5, "20 03 00 8E 00", kProtocol},
      {"a reserved return code", k311, "20 02 00 06", kProtocol},
      {"a reserved return code", k31, "20 02 00 80", kProtocol},
      {"CONNACK with flags 1", k5, "21 03 00 00 00", kMalformed},
      {"CONNACK with flags 1", k311, "21 02 00 00", kMalformed},
      {"CONNACK without properties", k5, "20 02 00 00", kMalformed},
      {"CONNACK with a byte too many", k311, "20 03 00 00 00", kMalformed},
      {"CONNACK of one byte", k311, "20 01 00", kMalformed},
      {"[MQTT5-3.9.3-2] not a SUBACK's reason", k5, "90 04 0001 00 03", kProtocol},
      {"[MQTT5-3.9.3-2] not a SUBACK's reason", k5, "90 05 0001 00 00 11", kProtocol},
      {"[MQTT311-3.9.3-2] a reason code of 5.0", k311, "90 03 0001 87", kProtocol},
      {"3.1 has no failure code", k31, "90 03 0001 80", kProtocol},
      {"SUBACK without codes", k5, "90 03 0001 00", kProtocol},
      {"SUBACK without codes", k311, "90 02 0001", kProtocol},
      {"SUBACK with flags 2", k5, "92 04 0001 00 00", kMalformed},
      {"SUBACK with packet identifier 0", k5, "90 04 0000 00 00", kProtocol},
      {"[MQTT5-3.11.3-2] not an UNSUBACK's reason", k5, "B0 04 0001 00 01", kProtocol},
      {"UNSUBACK without codes", k5, "B0 03 0001 00", kProtocol},
      {"UNSUBACK with a payload before 5.0", k311, "B0 03 0001 00", kMalformed},
      {"PINGRESP with a body", k5, "D0 01 00", kMalformed},
      {"PINGRESP with flags 8", k311, "D8 00", kMalformed},
      {"[MQTT5-3.14.2-1] a client's reason", k5, "E0 01 04", kProtocol},
      {"[MQTT5-3.14.2-1] success is a client's", k5, "E0 00", kProtocol},
      {"[MQTT5-3.14.2-2] session expiry", k5, "E0 07 8B 05 11 00000000", kProtocol},
      {"DISCONNECT before 5.0", k311, "E0 00", kProtocol},
      {"[MQTT5-3.15.2-1] re-authenticate is a client's", k5, "F0 06 19 04 15 0001 'm'", kProtocol},
      {"CONNECT from a server", k5, "10 00", kProtocol},
      {"SUBSCRIBE from a server", k5, "82 00", kProtocol},
      {"UNSUBSCRIBE from a server", k5, "A2 00", kProtocol},
      {"PINGREQ from a server", k311, "C0 00", kProtocol},
      {"subscription identifier 0", k5, "30 06 0001 'a' 02 0B 00", kProtocol},
  };
  for (const auto& row : rows) {
    expect_refused({{.name = row.name,
                     .version = row.version,
                     .bytes = bytes(row.bytes),
                     .reason = row.reason}},
                   Sender::kServer);
  }
}

// What is checked above must not be refused for another reason: without its fault every place's
// packet is fine, and so is every property where it belongs.
TEST(Malformed, ThePacketsAroundThemAreFine) {
  using namespace malformed_properties_detail;
  const auto expect_fine = [](const std::string& name, const Bytes& packet) {
    SCOPED_TRACE(name + ": " + hex_of(packet));
    Frame frame;
    ASSERT_EQ(next_frame(packet, kPacketSizeMax, frame), FrameStatus::kComplete);
    const Decoded decoded = decode_packet(frame, ProtocolVersion::kMqtt5, Sender::kClient);
    const auto* malformed = std::get_if<Malformed>(&decoded);
    EXPECT_EQ(malformed, nullptr) << malformed->detail;
  };
  for (const BlockPlace& place : client_places()) {
    expect_fine(place.name, packet_around(place, block_bytes(bytes(place.needed))));
    for (const SpecProperty& property : spec_properties()) {
      const bool from_server_only = property.id == 0x0B && place.letter == 'P';
      if (!belongs(property, place) || from_server_only) continue;
      const Bytes start = block_start(property, place);
      expect_fine(std::string(place.name) + " with " + property.name,
                  packet_around(place, block_bytes(start + valid_property(property))));
    }
  }
}

}  // namespace
}  // namespace shoal
