// Bytes to packets. A frame (frame.h) becomes a packet struct, or the reason why it is none: the
// reason code is the one that MQTT 5.0 names, for 3.x too, where it is only good for a log (a 3.x
// violation just closes the connection [MQTT311-4.8.0-1]). Checked is all that a packet shows on
// its own; what depends on the connection (packet identifiers in use, alias and receive maximum,
// what this server grants) is the broker's.
//
// Malformed Packet (0x81) is what cannot be read as the standard lays it out: cut short, trailing
// bytes, bad UTF-8, reserved bits, a property that does not belong there (2.2.2.2), topic names and
// filters that are not correctly formed. Protocol Error (0x82) is what can be read but must not be
// said (4.13): a property twice, a value out of range, packet identifier 0, no filters, a packet in
// the wrong direction. Where the standard names a more special code, that is it.
//
// Pure functions, any thread, no allocation.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "node/codec/frame.h"
#include "node/codec/packet.h"
#include "node/codec/reason_code.h"
#include "shoal/types.h"

namespace shoal {

class DecodeStatus {
 public:
  DecodeStatus() = default;
  // `detail` is static text.
  DecodeStatus(ReasonCode reason, const char* detail) : detail_(detail), reason_(reason) {}

  bool ok() const { return detail_ == nullptr; }
  ReasonCode reason() const { return reason_; }
  // What is wrong, for a log or a Reason String: short, ASCII, and static.
  std::string_view detail() const { return detail_ ? detail_ : ""; }

 private:
  const char* detail_ = nullptr;
  ReasonCode reason_ = ReasonCode::kSuccess;
};

struct Malformed {
  ReasonCode reason = ReasonCode::kMalformedPacket;
  std::string_view detail;
  // Only for a CONNECT: how the CONNACK that refuses it is to be encoded; none when the connection
  // is just closed, because the client speaks another protocol or a 3.x CONNECT broke a rule
  // [MQTT311-3.1.4-1].
  std::optional<ProtocolVersion> answer_as;
};

using Decoded = std::variant<Malformed, Connect, ConnAck, Publish, Ack, Subscribe, SubAck,
                             Unsubscribe, UnsubAck, PingReq, PingResp, Disconnect, Auth>;

// Any packet that `sender` may send. `version` is the connection's; a CONNECT brings its own, and
// before one arrived the answer to anything else is of no use, since the connection closes.
Decoded decode_packet(const Frame& frame, ProtocolVersion version, Sender sender);

// One function a type, for callers that switch on frame.type() themselves; the frame's type must be
// theirs. `out` is written whole, and means nothing when the status is not ok.

// `answer_as`: see Malformed.
DecodeStatus decode_connect(const Frame& frame, Connect& out,
                            std::optional<ProtocolVersion>& answer_as);
// For a CONNECT that is not to be read whole: the same of its beginning, of kConnectBeginning bytes or
// more; none for 3.x too.
inline constexpr size_t kConnectBeginning = 12;  // the fixed header, "MQTT" and the level
std::optional<ProtocolVersion> answer_to_beginning(ByteView beginning);
DecodeStatus decode_connack(const Frame& frame, ProtocolVersion version, ConnAck& out);
DecodeStatus decode_publish(const Frame& frame, ProtocolVersion version, Sender sender,
                            Publish& out);
// PUBACK, PUBREC, PUBREL and PUBCOMP.
DecodeStatus decode_ack(const Frame& frame, ProtocolVersion version, Sender sender, Ack& out);
DecodeStatus decode_subscribe(const Frame& frame, ProtocolVersion version, Subscribe& out);
DecodeStatus decode_suback(const Frame& frame, ProtocolVersion version, SubAck& out);
DecodeStatus decode_unsubscribe(const Frame& frame, ProtocolVersion version, Unsubscribe& out);
DecodeStatus decode_unsuback(const Frame& frame, ProtocolVersion version, UnsubAck& out);
// PINGREQ and PINGRESP: nothing but their type is in them.
DecodeStatus decode_ping(const Frame& frame, ProtocolVersion version);
DecodeStatus decode_disconnect(const Frame& frame, ProtocolVersion version, Sender sender,
                               Disconnect& out);
// 5.0 only.
DecodeStatus decode_auth(const Frame& frame, Sender sender, Auth& out);

}  // namespace shoal
