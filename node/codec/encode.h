// Packets to bytes. Every packet has
//   encoded_size: the whole packet's size in bytes; above kPacketSizeMax it cannot be encoded;
//   encode: writes exactly so many bytes at `out` and returns their end.
// So the caller decides where bytes go and can hold the size against a client's Maximum Packet Size
// before anything is written. encode_to appends to a container instead.
//
// The caller vouches for what it sends: strings are valid and at most 65,535 bytes, lists are not
// empty, values are in range. What a version does not have is left out. Lengths take their shortest
// form [MQTT5-1.5.5-1]; a property block that is empty is written as Property Length 0
// [MQTT5-2.2.2-1] unless the standard lets the packet end before it (3.4.2.2.1 and its kin), then
// it is left out.
//
// Pure functions, any thread, no allocation but of the container.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "node/codec/frame.h"
#include "node/codec/packet.h"
#include "shoal/assert.h"
#include "shoal/types.h"

namespace shoal {

size_t encoded_size(const Connect& packet, ProtocolVersion version);  // version == packet.version
size_t encoded_size(const ConnAck& packet, ProtocolVersion version);
size_t encoded_size(const Publish& packet, ProtocolVersion version);
size_t encoded_size(const Ack& packet, ProtocolVersion version);
size_t encoded_size(const Subscribe& packet, ProtocolVersion version);
size_t encoded_size(const SubAck& packet, ProtocolVersion version);
size_t encoded_size(const Unsubscribe& packet, ProtocolVersion version);
size_t encoded_size(const UnsubAck& packet, ProtocolVersion version);
size_t encoded_size(const PingReq& packet, ProtocolVersion version);
size_t encoded_size(const PingResp& packet, ProtocolVersion version);
size_t encoded_size(const Disconnect& packet, ProtocolVersion version);
size_t encoded_size(const Auth& packet, ProtocolVersion version);

uint8_t* encode(const Connect& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const ConnAck& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const Publish& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const Ack& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const Subscribe& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const SubAck& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const Unsubscribe& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const UnsubAck& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const PingReq& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const PingResp& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const Disconnect& packet, ProtocolVersion version, uint8_t* out);
uint8_t* encode(const Auth& packet, ProtocolVersion version, uint8_t* out);

// Appends to a std::vector<uint8_t> or a std::string.
template <class Packet, class Container>
void encode_to(Container& out, const Packet& packet, ProtocolVersion version) {
  const size_t size = encoded_size(packet, version);
  SHOAL_ASSERT(size <= kPacketSizeMax);
  const size_t old_size = out.size();
  out.resize(old_size + size);
  uint8_t* const begin = reinterpret_cast<uint8_t*>(out.data()) + old_size;
  uint8_t* const end = encode(packet, version, begin);
  SHOAL_ASSERT(end == begin + size);
}

// ---- what a server forwards ---------------------------------------------------------------------

// The bytes of the properties that go on unaltered, as MQTT 5.0 encodes them. When
// `from.is_contiguous()`, `from.window` is them and nothing needs to be copied.
inline size_t application_properties_size(const ApplicationProperties& from) { return from.size; }
// Writes application_properties_size bytes at `out` and returns their end.
uint8_t* copy_application_properties(const ApplicationProperties& from, uint8_t* out);
template <class Container>
void append_application_properties(const ApplicationProperties& from, Container& out) {
  const size_t old_size = out.size();
  out.resize(old_size + application_properties_size(from));
  copy_application_properties(from, reinterpret_cast<uint8_t*>(out.data()) + old_size);
}

// A PUBLISH up to its payload, for a message on its way to subscribers: its properties are bytes
// already, and the payload may go out from where it lies.
struct PublishHeader {
  bool dup = false;
  Qos qos = Qos::k0;
  bool retain = false;
  uint16_t packet_id = 0;    // not 0 above QoS 0
  uint16_t topic_alias = 0;  // 0: none
  std::string_view topic{};  // empty when the alias stands for it
  size_t payload_size = 0;
  std::optional<uint32_t> message_expiry_s{};
  std::span<const uint32_t> subscription_identifiers{};
  ByteView application_properties{};
};

// Where a header that goes to many subscribers is patched for each.
struct PublishPatch {
  size_t size = 0;              // of the header; the payload follows
  size_t packet_id_offset = 0;  // from the first byte on; 0 at QoS 0
  // The first byte holds DUP and RETAIN: publish_first_byte.
};

constexpr uint8_t publish_first_byte(bool dup, Qos qos, bool retain) {
  return static_cast<uint8_t>(0x30 | (dup ? 0x08 : 0) | (static_cast<uint8_t>(qos) << 1) |
                              (retain ? 0x01 : 0));
}

inline void patch_packet_id(uint8_t* header, const PublishPatch& patch, uint16_t packet_id) {
  header[patch.packet_id_offset] = static_cast<uint8_t>(packet_id >> 8);
  header[patch.packet_id_offset + 1] = static_cast<uint8_t>(packet_id);
}

// The header's size; the packet's is larger by the payload. If that sum is above kPacketSizeMax
// there is no such packet: identifiers and aliases can push one over the limit that it came in
// under.
size_t encoded_size(const PublishHeader& header, ProtocolVersion version);
// Writes the header only, encoded_size bytes.
PublishPatch encode(const PublishHeader& header, ProtocolVersion version, uint8_t* out);

}  // namespace shoal
