// What the encoders promise beyond the round trip: sizes, patches, versions and limits.
#include "node/codec/encode.h"

#include <gtest/gtest.h>

#include "tests/codec/reencode.h"

namespace shoal {
namespace {

template <class Packet>
std::string hex(const Packet& packet, ProtocolVersion version) {
  Bytes out;
  encode_to(out, packet, version);
  EXPECT_EQ(out.size(), encoded_size(packet, version));
  return hex_of(out);
}

// One answer for all versions: each gets what it can say.
TEST(Encode, LeavesOutWhatAVersionDoesNotHave) {
  const ReasonCode reasons[] = {ReasonCode::kGrantedQos1, ReasonCode::kNotAuthorized};
  const SubAck suback{
      .packet_id = 1, .reason_string = "why", .reasons = ReasonCodes(std::span(reasons))};
  EXPECT_EQ(hex(suback, k5), hex_of(bytes("90 0B 0001 06 1F 0003 'why' 01 87")));
  EXPECT_EQ(hex(suback, k311), hex_of(bytes("90 04 0001 01 80")));
  EXPECT_EQ(hex(suback, k31), hex_of(bytes("90 04 0001 01 00")));

  const UnsubAck unsuback{.packet_id = 1, .reasons = ReasonCodes(std::span(reasons).last(1))};
  EXPECT_EQ(hex(unsuback, k5), hex_of(bytes("B0 04 0001 00 87")));
  EXPECT_EQ(hex(unsuback, k311), hex_of(bytes("B0 02 0001")));

  const ConnAck connack{.session_present = true, .assigned_client_id = "x"};
  EXPECT_EQ(hex(connack, k5), hex_of(bytes("20 07 01 00 04 12 0001 'x'")));
  EXPECT_EQ(hex(connack, k311), hex_of(bytes("20 02 01 00")));
  EXPECT_EQ(hex(connack, k31), hex_of(bytes("20 02 00 00")));
  EXPECT_EQ(hex(ConnAck{.reason = ReasonCode::kServerShuttingDown}, k5),
            hex_of(bytes("20 03 00 8B 00")));
  EXPECT_EQ(hex(ConnAck{.reason = ReasonCode::kServerBusy}, k31), hex_of(bytes("20 02 00 03")));

  const Ack ack{.type = PacketType::kPubRec, .packet_id = 2, .reason = ReasonCode::kQuotaExceeded};
  EXPECT_EQ(hex(ack, k5), hex_of(bytes("50 03 0002 97")));
  EXPECT_EQ(hex(ack, k311), hex_of(bytes("50 02 0002")));

  EXPECT_EQ(hex(Disconnect{.reason = ReasonCode::kSessionTakenOver}, k5),
            hex_of(bytes("E0 01 8E")));
  EXPECT_EQ(hex(Disconnect{.reason = ReasonCode::kSessionTakenOver}, k311), hex_of(bytes("E0 00")));

  const Publish publish{.qos = Qos::k1, .packet_id = 3, .topic = "a", .message_expiry_s = 9};
  EXPECT_EQ(hex(publish, k5), hex_of(bytes("32 0B 0001 'a' 0003 05 02 00000009")));
  EXPECT_EQ(hex(publish, k311), hex_of(bytes("32 05 0001 'a' 0003")));
}

// [MQTT5-2.2.1-2] [MQTT311-2.3.1-5]: also when the caller left one in.
TEST(Encode, NoPacketIdentifierAtQos0) {
  EXPECT_EQ(hex(Publish{.packet_id = 3, .topic = "a"}, k311), hex_of(bytes("30 03 0001 'a'")));
  std::array<uint8_t, 16> out;
  const PublishHeader header{.packet_id = 3, .topic = "a"};
  EXPECT_EQ(encode(header, k5, out.data()).packet_id_offset, 0u);
  EXPECT_EQ(encoded_size(header, k5), 6u);
}

// User properties from a received packet, with others between them, go out alone.
TEST(Encode, UserPropertiesOfAnotherPacket) {
  const Bytes received =
      packet_bytes(0x30, bytes("0001 'a'") +
                             block_bytes(bytes("26 0001 'a' 0000 23 0001 26 0001 'b' 0000 01 00")));
  const Decoded decoded = decode_whole(received, k5, Sender::kClient);
  const Ack ack{.packet_id = 1,
                .user_properties = std::get<Publish>(decoded).application.user_properties};
  EXPECT_EQ(hex(ack, k5), hex_of(bytes("40 10 0001 00 0C 26 0001 'a' 0000 26 0001 'b' 0000")));
}

TEST(Encode, Builders) {
  Bytes users;
  append_user_property("n", "v", users);
  append_user_property("n", "", users);
  EXPECT_EQ(hex_of(users), hex_of(bytes("26 0001 'n' 0001 'v' 26 0001 'n' 0000")));
  Bytes ids;
  append_subscription_identifier(1, ids);
  append_subscription_identifier(kVarintMax, ids);
  EXPECT_EQ(hex_of(ids), hex_of(bytes("0B 01 0B FFFFFF7F")));
  Bytes subscriptions;
  append_subscription({.filter = "a"}, subscriptions);
  append_subscription({.filter = "b/#",
                       .qos = Qos::k2,
                       .no_local = true,
                       .retain_as_published = true,
                       .retain_handling = 2},
                      subscriptions);
  EXPECT_EQ(hex_of(subscriptions), hex_of(bytes("0001 'a' 00 0003 'b/#' 2E")));
  const auto list = SubscriptionList::of_valid(subscriptions);
  EXPECT_EQ(list.size(), 2u);
  EXPECT_EQ((*list.begin()).filter, "a");
  EXPECT_TRUE(SubscriptionList().empty());
  Bytes filters;
  append_filter("a", filters);
  append_filter("+", filters);
  EXPECT_EQ(hex(Unsubscribe{.packet_id = 9, .filters = FilterList::of_valid(filters)}, k311),
            hex_of(bytes("A2 08 0009 0001 'a' 0001 '+'")));
}

// A header is encoded once and patched for each subscriber.
TEST(Encode, HeaderPatchedForASubscriber) {
  for (const ProtocolVersion version : {k311, k5}) {
    PublishHeader header{.qos = Qos::k1, .packet_id = 1, .topic = "a/b", .payload_size = 300};
    if (version == k5) header.message_expiry_s = 7;
    Bytes out(encoded_size(header, version));
    const PublishPatch patch = encode(header, version, out.data());
    EXPECT_EQ(patch.size, out.size());
    patch_packet_id(out.data(), patch, 0xABCD);
    out[0] = publish_first_byte(true, Qos::k2, true);

    header.dup = true;
    header.qos = Qos::k2;
    header.retain = true;
    header.packet_id = 0xABCD;
    Bytes fresh(encoded_size(header, version));
    encode(header, version, fresh.data());
    EXPECT_EQ(hex_of(out), hex_of(fresh));
  }
}

TEST(Encode, FirstByteOfPublish) {
  EXPECT_EQ(publish_first_byte(false, Qos::k0, false), 0x30);
  EXPECT_EQ(publish_first_byte(false, Qos::k0, true), 0x31);
  EXPECT_EQ(publish_first_byte(false, Qos::k1, false), 0x32);
  EXPECT_EQ(publish_first_byte(true, Qos::k2, true), 0x3D);
}

// What came in at the limit may not fit any more with an identifier in it: its size says so.
TEST(Encode, SizeAtTheLimit) {
  PublishHeader header{.topic = "a", .payload_size = kVarintMax - 4};
  EXPECT_EQ(encoded_size(header, k5) + header.payload_size, kPacketSizeMax);
  const uint32_t id = 1;
  header.subscription_identifiers = {&id, 1};
  EXPECT_GT(encoded_size(header, k5) + header.payload_size, kPacketSizeMax);
  header.subscription_identifiers = {};
  header.payload_size += 1;
  EXPECT_GT(encoded_size(header, k5) + header.payload_size, kPacketSizeMax);
  EXPECT_EQ(encoded_size(header, k311) + header.payload_size, kPacketSizeMax);
}

TEST(Encode, AppendsToWhatIsThere) {
  std::string out = "before ";
  encode_to(out, PingResp{}, k311);
  encode_to(out, Ack{.packet_id = 0x4142}, k311);
  EXPECT_EQ(out, std::string("before \xD0\0\x40\x02"
                             "AB",
                             13));
}

}  // namespace
}  // namespace shoal
