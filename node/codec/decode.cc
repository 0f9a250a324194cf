// What is decoded of every packet alike, and the packets that are mostly that.
#include "node/codec/decode.h"

#include "node/codec/byte_reader.h"
#include "node/codec/property_reader.h"
#include "node/codec/subscribe_options.h"
#include "node/codec/topic_check.h"

namespace shoal {
namespace {

// [MQTT5-2.1.3-1] [MQTT311-2.2.2-2], and PUBREL, SUBSCRIBE and UNSUBSCRIBE by their own statements
// [MQTT5-3.6.1-1] [MQTT5-3.8.1-1] [MQTT5-3.10.1-1] [MQTT5-3.14.1-1] [MQTT5-3.15.1-1]
// [MQTT311-3.6.1-1] [MQTT311-3.8.1-1] [MQTT311-3.10.1-1] [MQTT311-3.14.1-1].
// Not for CONNECT, which brings its version, and PUBLISH, where the bits mean something. 3.1 calls
// them unused, or DUP in what is sent again.
void check_fixed_header(ByteReader& in, const Frame& frame, ProtocolVersion version) {
  if (version == ProtocolVersion::kMqtt31) return;
  const PacketType type = frame.type();
  const bool is_0010 = type == PacketType::kPubRel || type == PacketType::kSubscribe ||
                       type == PacketType::kUnsubscribe;
  if (frame.flags() != (is_0010 ? 0x02 : 0x00)) {
    in.fail(ReasonCode::kMalformedPacket, "reserved flags of the fixed header");
  }
}

// [MQTT5-2.2.1-3] [MQTT311-2.3.1-1]; an acknowledgement of 0 answers nothing that can exist.
uint16_t read_packet_id(ByteReader& in) {
  const uint16_t packet_id = in.two_bytes();
  if (packet_id == 0) in.fail(ReasonCode::kProtocolError, "packet identifier 0");
  return packet_id;
}

// Some packets may end before their reason code, which is 0 then, and before their properties
// (3.4.2.1, 3.4.2.2.1, 3.14.2.1).
ReasonCode read_reason(ByteReader& in, PacketType type, Sender sender) {
  const auto reason = in.at_end() ? ReasonCode::kSuccess : static_cast<ReasonCode>(in.byte());
  if (!is_reason_of(type, sender, reason)) {
    in.fail(ReasonCode::kProtocolError, "reason code does not belong in this packet");
  }
  return reason;
}

std::string_view read_filter(ByteReader& in) {
  const std::string_view filter = in.unchecked_string();
  if (!in.ok()) return {};
  // [MQTT5-3.8.3-1] [MQTT5-3.10.3-1] [MQTT311-3.8.3-1] [MQTT311-3.10.3-1] and the rules of 4.7
  if (const auto wrong = check_topic_filter(filter)) {
    in.fail(ReasonCode::kMalformedPacket, wrong->data());
  }
  return filter;
}

void read_subscription(ByteReader& in, ProtocolVersion version) {
  const std::string_view filter = read_filter(in);
  const uint8_t options = in.byte();
  const bool is_5 = version == ProtocolVersion::kMqtt5;
  // [MQTT5-3.8.3-5] [MQTT311-3.8.3-4]
  if ((options & (is_5 ? kSubscribeReserved : kSubscribeReserved3x)) != 0) {
    in.fail(ReasonCode::kMalformedPacket, "reserved bits of the subscription options");
  }
  if ((options & kSubscribeQos) == 3) {  // 3.8.3.1; [MQTT311-3.8.3-4]
    in.fail(is_5 ? ReasonCode::kProtocolError : ReasonCode::kMalformedPacket, "QoS 3");
  }
  if (retain_handling_of(options) == 3) {  // 3.8.3.1
    in.fail(ReasonCode::kProtocolError, "retain handling 3");
  }
  if (is_shared_filter(filter) && (options & kSubscribeNoLocal) != 0) {  // [MQTT5-3.8.3-4]
    in.fail(ReasonCode::kProtocolError, "no local on a shared subscription");
  }
}

void read_subscribe_properties(ByteReader& in, Subscribe& out) {
  PropertyReader properties(in, PacketType::kSubscribe);
  for (Property property; properties.next(property);) {
    if (property.id == PropertyId::kSubscriptionIdentifier) {
      out.subscription_identifier = property.number;
    }
  }
  out.user_properties = properties.user_properties();
}

void read_disconnect_properties(ByteReader& in, Sender sender, Disconnect& out) {
  PropertyReader properties(in, PacketType::kDisconnect);
  for (Property property; properties.next(property);) {
    switch (property.id) {
      case PropertyId::kSessionExpiryInterval:
        out.session_expiry_s = property.number;
        if (sender == Sender::kServer) {  // [MQTT5-3.14.2-2]
          in.fail(ReasonCode::kProtocolError, "session expiry from a server");
        }
        break;
      case PropertyId::kReasonString: out.reason_string = property.text; break;
      case PropertyId::kServerReference: out.server_reference = property.text; break;
      default: break;  // user properties: a range
    }
  }
  out.user_properties = properties.user_properties();
}

void read_auth_properties(ByteReader& in, Auth& out) {
  PropertyReader properties(in, PacketType::kAuth);
  for (Property property; properties.next(property);) {
    switch (property.id) {
      case PropertyId::kAuthenticationMethod: out.authentication_method = property.text; break;
      case PropertyId::kAuthenticationData: out.authentication_data = property.bytes; break;
      case PropertyId::kReasonString: out.reason_string = property.text; break;
      default: break;  // user properties: a range
    }
  }
  out.user_properties = properties.user_properties();
}

}  // namespace

DecodeStatus decode_ack(const Frame& frame, ProtocolVersion version, Sender sender, Ack& out) {
  out = Ack{};
  out.type = frame.type();
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  out.packet_id = read_packet_id(in);
  if (version == ProtocolVersion::kMqtt5) {
    // [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1]
    out.reason = read_reason(in, out.type, sender);
    if (!in.at_end()) read_explanation(in, out.type, out.reason_string, out.user_properties);
  }
  in.expect_end();
  return in.status();
}

DecodeStatus decode_subscribe(const Frame& frame, ProtocolVersion version, Subscribe& out) {
  out = Subscribe{};
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  out.packet_id = read_packet_id(in);
  if (version == ProtocolVersion::kMqtt5) read_subscribe_properties(in, out);
  if (in.at_end()) {  // [MQTT5-3.8.3-2] [MQTT311-3.8.3-3]
    in.fail(ReasonCode::kProtocolError, "no topic filters");
  }
  const ByteView list(in.position(), in.left());
  while (!in.at_end()) read_subscription(in, version);
  if (in.ok()) out.subscriptions = SubscriptionList::of_valid(list);
  return in.status();
}

DecodeStatus decode_suback(const Frame& frame, ProtocolVersion version, SubAck& out) {
  out = SubAck{};
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  out.packet_id = read_packet_id(in);
  if (version == ProtocolVersion::kMqtt5) {
    read_explanation(in, PacketType::kSubAck, out.reason_string, out.user_properties);
  }
  out.reasons = ReasonCodes(in.rest());
  if (out.reasons.empty()) in.fail(ReasonCode::kProtocolError, "no reason codes");
  for (const ReasonCode reason : out.reasons) {
    // [MQTT5-3.9.3-2]; of 3.x those that it can say itself [MQTT311-3.9.3-2]
    if (!is_reason_of(PacketType::kSubAck, Sender::kServer, reason) ||
        suback_code_of(reason, version) != static_cast<uint8_t>(reason)) {
      in.fail(ReasonCode::kProtocolError, "no reason code of SUBACK");
    }
  }
  return in.status();
}

DecodeStatus decode_unsubscribe(const Frame& frame, ProtocolVersion version, Unsubscribe& out) {
  out = Unsubscribe{};
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  out.packet_id = read_packet_id(in);
  if (version == ProtocolVersion::kMqtt5) {
    std::optional<std::string_view> none;  // UNSUBSCRIBE has no Reason String
    read_explanation(in, PacketType::kUnsubscribe, none, out.user_properties);
  }
  if (in.at_end()) {  // [MQTT5-3.10.3-2] [MQTT311-3.10.3-2]
    in.fail(ReasonCode::kProtocolError, "no topic filters");
  }
  const ByteView list(in.position(), in.left());
  while (!in.at_end()) read_filter(in);
  if (in.ok()) out.filters = FilterList::of_valid(list);
  return in.status();
}

DecodeStatus decode_unsuback(const Frame& frame, ProtocolVersion version, UnsubAck& out) {
  out = UnsubAck{};
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  out.packet_id = read_packet_id(in);
  if (version == ProtocolVersion::kMqtt5) {
    read_explanation(in, PacketType::kUnsubAck, out.reason_string, out.user_properties);
    out.reasons = ReasonCodes(in.rest());
    if (out.reasons.empty()) in.fail(ReasonCode::kProtocolError, "no reason codes");
    for (const ReasonCode reason : out.reasons) {  // [MQTT5-3.11.3-2]
      if (!is_reason_of(PacketType::kUnsubAck, Sender::kServer, reason)) {
        in.fail(ReasonCode::kProtocolError, "no reason code of UNSUBACK");
      }
    }
  }
  in.expect_end();
  return in.status();
}

DecodeStatus decode_ping(const Frame& frame, ProtocolVersion version) {
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  in.expect_end();
  return in.status();
}

DecodeStatus decode_disconnect(const Frame& frame, ProtocolVersion version, Sender sender,
                               Disconnect& out) {
  out = Disconnect{};
  ByteReader in(frame.body);
  check_fixed_header(in, frame, version);
  if (version == ProtocolVersion::kMqtt5) {
    out.reason = read_reason(in, PacketType::kDisconnect, sender);  // [MQTT5-3.14.2-1]
    if (!in.at_end()) read_disconnect_properties(in, sender, out);
  }
  in.expect_end();
  return in.status();
}

DecodeStatus decode_auth(const Frame& frame, Sender sender, Auth& out) {
  out = Auth{};
  ByteReader in(frame.body);
  check_fixed_header(in, frame, ProtocolVersion::kMqtt5);
  if (!in.at_end()) {
    out.reason = read_reason(in, PacketType::kAuth, sender);  // [MQTT5-3.15.2-1]
    read_auth_properties(in, out);
  }
  // 3.15.2.2.2: omitting it is a Protocol Error. So the packet that 3.15.2.1 lets end before its
  // reason code is one too, but one that can be read.
  if (!out.authentication_method) {
    in.fail(ReasonCode::kProtocolError, "no authentication method");
  }
  in.expect_end();
  return in.status();
}

}  // namespace shoal
