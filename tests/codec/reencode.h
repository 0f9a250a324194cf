// The rule that holds for any bytes, which tests and the fuzzer put to the codec: what is accepted
// can be encoded, means the same when it is decoded again, and from then on has settled. A header
// alone.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "node/codec/decode.h"
#include "node/codec/encode.h"
#include "tests/codec/bytes.h"
#include "tests/codec/describe.h"

namespace shoal {

// `packet` is not Malformed.
inline Bytes encoded(const Decoded& packet, ProtocolVersion version) {
  Bytes out;
  std::visit(
      [&](const auto& p) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(p)>, Malformed>) {
          encode_to(out, p, version);
        }
      },
      packet);
  return out;
}

// A CONNECT is encoded in its own version, whatever the connection spoke.
inline ProtocolVersion version_of(const Decoded& packet, ProtocolVersion version) {
  const auto* connect = std::get_if<Connect>(&packet);
  return connect ? connect->version : version;
}

// The packet's views are of `packet`, which must outlive them.
inline Decoded decode_whole(Bytes&& packet, ProtocolVersion version, Sender sender) = delete;
inline Decoded decode_whole(const Bytes& packet, ProtocolVersion version, Sender sender) {
  Frame frame;
  if (next_frame(packet, kPacketSizeMax, frame) != FrameStatus::kComplete ||
      frame.size != packet.size()) {
    return Malformed{ReasonCode::kMalformedPacket, "not one whole frame", {}};
  }
  return decode_packet(frame, version, sender);
}

// What a server makes of a PUBLISH that it forwards: its properties as bytes, in the order
// received.
inline Bytes forwarded(const Publish& publish, ProtocolVersion version) {
  Bytes properties;
  append_application_properties(publish.application, properties);
  const std::vector<uint32_t> ids(publish.subscription_identifiers.begin(),
                                  publish.subscription_identifiers.end());
  const PublishHeader header{.dup = publish.dup,
                             .qos = publish.qos,
                             .retain = publish.retain,
                             .packet_id = publish.packet_id,
                             .topic_alias = publish.topic_alias.value_or(0),
                             .topic = publish.topic,
                             .payload_size = publish.payload.size(),
                             .message_expiry_s = publish.message_expiry_s,
                             .subscription_identifiers = ids,
                             .application_properties = properties};
  Bytes out(encoded_size(header, version));
  SHOAL_ASSERT(encode(header, version, out.data()).size == out.size());
  return std::move(out) + Bytes(publish.payload.begin(), publish.payload.end());
}

// What is wrong with how the codec treats `frame`; none when nothing is. Malformed is fine.
inline std::optional<std::string> check_reencoding(const Frame& frame, ProtocolVersion version,
                                                   Sender sender) {
  const Decoded first = decode_packet(frame, version, sender);
  if (std::holds_alternative<Malformed>(first)) return std::nullopt;
  version = version_of(first, version);
  const std::string meaning = describe(first);
  const Bytes settled = encoded(first, version);
  const Decoded second = decode_whole(settled, version, sender);
  if (describe(second) != meaning) return "was " + meaning + "\nis  " + describe(second);
  if (encoded(second, version) != settled) return "unsettled: " + hex_of(settled);
  if (const auto* publish = std::get_if<Publish>(&first)) {
    const Bytes sent_on = forwarded(*publish, version);
    const Decoded third = decode_whole(sent_on, version, sender);
    if (describe(third) != meaning) return "was " + meaning + "\nforwarded " + describe(third);
  }
  return std::nullopt;
}

}  // namespace shoal
