// One description of each packet's properties and body, over either sink (byte_sink.h), then the
// packet around it. PUBLISH, which is sent in numbers, has a file of its own.
#include "node/codec/encode.h"

#include "node/codec/byte_sink.h"

namespace shoal {
namespace {

// ---- properties, in the order of the standard's sections
// ------------------------------------------

template <class Sink>
void put_properties(Sink& out, const Connect& p) {
  put_four_byte_property(out, PropertyId::kSessionExpiryInterval, p.session_expiry_s);
  put_two_byte_property(out, PropertyId::kReceiveMaximum, p.receive_maximum);
  put_four_byte_property(out, PropertyId::kMaximumPacketSize, p.maximum_packet_size);
  put_two_byte_property(out, PropertyId::kTopicAliasMaximum, p.topic_alias_maximum);
  put_byte_property(out, PropertyId::kRequestResponseInformation, p.request_response_information);
  put_byte_property(out, PropertyId::kRequestProblemInformation, p.request_problem_information);
  put_user_properties(out, p.user_properties);
  put_string_property(out, PropertyId::kAuthenticationMethod, p.authentication_method);
  put_binary_property(out, PropertyId::kAuthenticationData, p.authentication_data);
}

template <class Sink>
void put_properties(Sink& out, const Will& p) {
  put_four_byte_property(out, PropertyId::kWillDelayInterval, p.delay_s);
  put_four_byte_property(out, PropertyId::kMessageExpiryInterval, p.message_expiry_s);
  put_application_properties(out, p.application);
}

template <class Sink>
void put_properties(Sink& out, const ConnAck& p) {
  const auto maximum_qos =
      p.maximum_qos ? std::optional(static_cast<uint8_t>(*p.maximum_qos)) : std::nullopt;
  put_four_byte_property(out, PropertyId::kSessionExpiryInterval, p.session_expiry_s);
  put_two_byte_property(out, PropertyId::kReceiveMaximum, p.receive_maximum);
  put_byte_property(out, PropertyId::kMaximumQos, maximum_qos);
  put_byte_property(out, PropertyId::kRetainAvailable, p.retain_available);
  put_four_byte_property(out, PropertyId::kMaximumPacketSize, p.maximum_packet_size);
  put_string_property(out, PropertyId::kAssignedClientIdentifier, p.assigned_client_id);
  put_two_byte_property(out, PropertyId::kTopicAliasMaximum, p.topic_alias_maximum);
  put_string_property(out, PropertyId::kReasonString, p.reason_string);
  put_user_properties(out, p.user_properties);
  put_byte_property(out, PropertyId::kWildcardSubscriptionAvailable,
                    p.wildcard_subscription_available);
  put_byte_property(out, PropertyId::kSubscriptionIdentifierAvailable,
                    p.subscription_identifier_available);
  put_byte_property(out, PropertyId::kSharedSubscriptionAvailable, p.shared_subscription_available);
  put_two_byte_property(out, PropertyId::kServerKeepAlive, p.server_keep_alive_s);
  put_string_property(out, PropertyId::kResponseInformation, p.response_information);
  put_string_property(out, PropertyId::kServerReference, p.server_reference);
  put_string_property(out, PropertyId::kAuthenticationMethod, p.authentication_method);
  put_binary_property(out, PropertyId::kAuthenticationData, p.authentication_data);
}

template <class Sink>
void put_properties(Sink& out, const Subscribe& p) {
  if (p.subscription_identifier) put_subscription_identifier(out, *p.subscription_identifier);
  put_user_properties(out, p.user_properties);
}

template <class Sink>
void put_properties(Sink& out, const Unsubscribe& p) {
  put_user_properties(out, p.user_properties);
}

// Ack, SubAck, UnsubAck.
template <class Sink, class Packet>
void put_properties(Sink& out, const Packet& p) {
  put_string_property(out, PropertyId::kReasonString, p.reason_string);
  put_user_properties(out, p.user_properties);
}

template <class Sink>
void put_properties(Sink& out, const Disconnect& p) {
  put_four_byte_property(out, PropertyId::kSessionExpiryInterval, p.session_expiry_s);
  put_string_property(out, PropertyId::kReasonString, p.reason_string);
  put_user_properties(out, p.user_properties);
  put_string_property(out, PropertyId::kServerReference, p.server_reference);
}

template <class Sink>
void put_properties(Sink& out, const Auth& p) {
  put_string_property(out, PropertyId::kAuthenticationMethod, p.authentication_method);
  put_binary_property(out, PropertyId::kAuthenticationData, p.authentication_data);
  put_string_property(out, PropertyId::kReasonString, p.reason_string);
  put_user_properties(out, p.user_properties);
}

template <class Packet>
size_t properties_size(const Packet& packet) {
  SizeSink size;
  put_properties(size, packet);
  return size.size();
}

// [MQTT5-2.2.2-1]: the length is there, and 0, when there are none.
template <class Sink, class Packet>
void put_property_block(Sink& out, const Packet& packet) {
  out.varint(properties_size(packet));
  put_properties(out, packet);
}

// A reason code and properties that may be left out from the end (3.4.2.1, 3.4.2.2.1, 3.14.2.1).
template <class Sink, class Packet>
void put_short_reason(Sink& out, const Packet& packet) {
  const bool has_properties = properties_size(packet) != 0;
  if (has_properties || packet.reason != ReasonCode::kSuccess) {
    out.byte(static_cast<uint8_t>(packet.reason));
  }
  if (has_properties) put_property_block(out, packet);
}

// ---- bodies -------------------------------------------------------------------------------------

uint8_t connect_flags(const Connect& p) {
  uint8_t flags = p.clean_start ? 0x02 : 0x00;
  if (p.will) {
    flags |= 0x04 | static_cast<uint8_t>(p.will->qos) << 3 | (p.will->retain ? 0x20 : 0x00);
  }
  return flags | (p.password ? 0x40 : 0x00) | (p.user_name ? 0x80 : 0x00);
}

template <class Sink>
void put_body(Sink& out, const Connect& p, ProtocolVersion version) {
  put_string(out, version == ProtocolVersion::kMqtt31 ? "MQIsdp" : "MQTT");
  out.byte(static_cast<uint8_t>(version));
  out.byte(connect_flags(p));
  out.two_bytes(p.keep_alive_s);
  if (is_5(version)) put_property_block(out, p);
  put_string(out, p.client_id);
  if (p.will) {
    if (is_5(version)) put_property_block(out, *p.will);
    put_string(out, p.will->topic);
    out.binary(p.will->payload);
  }
  if (p.user_name) put_string(out, *p.user_name);
  if (p.password) out.binary(*p.password);
}

template <class Sink>
void put_body(Sink& out, const ConnAck& p, ProtocolVersion version) {
  out.byte(p.session_present && version != ProtocolVersion::kMqtt31 ? 1 : 0);
  if (is_5(version)) {
    out.byte(static_cast<uint8_t>(p.reason));
    return put_property_block(out, p);
  }
  const std::optional<uint8_t> code = connack_return_code_of(p.reason);
  SHOAL_ASSERT(code.has_value());
  out.byte(*code);
}

template <class Sink>
void put_body(Sink& out, const Ack& p, ProtocolVersion version) {
  out.two_bytes(p.packet_id);
  if (is_5(version)) put_short_reason(out, p);
}

template <class Sink>
void put_body(Sink& out, const Subscribe& p, ProtocolVersion version) {
  out.two_bytes(p.packet_id);
  if (is_5(version)) put_property_block(out, p);
  out.bytes(p.subscriptions.raw());
}

template <class Sink>
void put_body(Sink& out, const SubAck& p, ProtocolVersion version) {
  out.two_bytes(p.packet_id);
  if (is_5(version)) put_property_block(out, p);
  for (const ReasonCode reason : p.reasons) out.byte(suback_code_of(reason, version));
}

template <class Sink>
void put_body(Sink& out, const Unsubscribe& p, ProtocolVersion version) {
  out.two_bytes(p.packet_id);
  if (is_5(version)) put_property_block(out, p);
  out.bytes(p.filters.raw());
}

template <class Sink>
void put_body(Sink& out, const UnsubAck& p, ProtocolVersion version) {
  out.two_bytes(p.packet_id);
  if (!is_5(version)) return;
  put_property_block(out, p);
  for (const ReasonCode reason : p.reasons) out.byte(static_cast<uint8_t>(reason));
}

template <class Sink>
void put_body(Sink&, const PingReq&, ProtocolVersion) {}

template <class Sink>
void put_body(Sink&, const PingResp&, ProtocolVersion) {}

template <class Sink>
void put_body(Sink& out, const Disconnect& p, ProtocolVersion version) {
  if (is_5(version)) put_short_reason(out, p);
}

// Never cut short: a method belongs into every AUTH (3.15.2.2.2).
template <class Sink>
void put_body(Sink& out, const Auth& p, ProtocolVersion) {
  out.byte(static_cast<uint8_t>(p.reason));
  put_property_block(out, p);
}

// ---- packets ------------------------------------------------------------------------------------

PacketType type_of(const Connect&) { return PacketType::kConnect; }
PacketType type_of(const ConnAck&) { return PacketType::kConnAck; }
PacketType type_of(const Ack& p) { return p.type; }
PacketType type_of(const Subscribe&) { return PacketType::kSubscribe; }
PacketType type_of(const SubAck&) { return PacketType::kSubAck; }
PacketType type_of(const Unsubscribe&) { return PacketType::kUnsubscribe; }
PacketType type_of(const UnsubAck&) { return PacketType::kUnsubAck; }
PacketType type_of(const PingReq&) { return PacketType::kPingReq; }
PacketType type_of(const PingResp&) { return PacketType::kPingResp; }
PacketType type_of(const Disconnect&) { return PacketType::kDisconnect; }
PacketType type_of(const Auth&) { return PacketType::kAuth; }

// [MQTT5-2.1.3-1] [MQTT311-2.2.2-1]
uint8_t first_byte_of(PacketType type) {
  const bool is_0010 = type == PacketType::kPubRel || type == PacketType::kSubscribe ||
                       type == PacketType::kUnsubscribe;
  return static_cast<uint8_t>(static_cast<int>(type) << 4 | (is_0010 ? 0x02 : 0x00));
}

template <class Packet>
size_t body_size(const Packet& packet, ProtocolVersion version) {
  SizeSink size;
  put_body(size, packet, version);
  return size.size();
}

template <class Packet>
size_t packet_size(const Packet& packet, ProtocolVersion version) {
  const size_t body = body_size(packet, version);
  return 1 + varint_size(body) + body;
}

template <class Packet>
uint8_t* put_packet(const Packet& packet, ProtocolVersion version, uint8_t* at) {
  ByteSink out(at);
  out.byte(first_byte_of(type_of(packet)));
  out.varint(body_size(packet, version));
  put_body(out, packet, version);
  return out.position();
}

}  // namespace

size_t encoded_size(const Connect& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const ConnAck& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const Ack& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const Subscribe& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const SubAck& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const Unsubscribe& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const UnsubAck& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const PingReq& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const PingResp& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const Disconnect& p, ProtocolVersion v) { return packet_size(p, v); }
size_t encoded_size(const Auth& p, ProtocolVersion v) { return packet_size(p, v); }

uint8_t* encode(const Connect& p, ProtocolVersion v, uint8_t* out) { return put_packet(p, v, out); }
uint8_t* encode(const ConnAck& p, ProtocolVersion v, uint8_t* out) { return put_packet(p, v, out); }
uint8_t* encode(const Ack& p, ProtocolVersion v, uint8_t* out) { return put_packet(p, v, out); }
uint8_t* encode(const Subscribe& p, ProtocolVersion v, uint8_t* out) {
  return put_packet(p, v, out);
}
uint8_t* encode(const SubAck& p, ProtocolVersion v, uint8_t* out) { return put_packet(p, v, out); }
uint8_t* encode(const Unsubscribe& p, ProtocolVersion v, uint8_t* out) {
  return put_packet(p, v, out);
}
uint8_t* encode(const UnsubAck& p, ProtocolVersion v, uint8_t* out) {
  return put_packet(p, v, out);
}
uint8_t* encode(const PingReq& p, ProtocolVersion v, uint8_t* out) { return put_packet(p, v, out); }
uint8_t* encode(const PingResp& p, ProtocolVersion v, uint8_t* out) {
  return put_packet(p, v, out);
}
uint8_t* encode(const Disconnect& p, ProtocolVersion v, uint8_t* out) {
  return put_packet(p, v, out);
}
uint8_t* encode(const Auth& p, ProtocolVersion v, uint8_t* out) { return put_packet(p, v, out); }

}  // namespace shoal
