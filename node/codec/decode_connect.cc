// CONNECT and CONNACK.
#include "node/codec/byte_reader.h"
#include "node/codec/decode.h"
#include "node/codec/property_reader.h"
#include "node/codec/topic_check.h"

namespace shoal {
namespace {

constexpr uint8_t kUserNameFlag = 0x80;
constexpr uint8_t kPasswordFlag = 0x40;
constexpr uint8_t kWillRetainFlag = 0x20;
constexpr uint8_t kWillQosShift = 3;
constexpr uint8_t kWillFlag = 0x04;
constexpr uint8_t kCleanStartFlag = 0x02;
constexpr uint8_t kReservedFlag = 0x01;

// Protocol name and level. `answer_as` says how a refusal is encoded: a level from 5 on gets
// the 5.0 CONNACK [MQTT5-3.1.2-2], a lower one the 3.x return code 1 [MQTT311-3.1.2-2], and so does
// one with the top bit set, which is how bridges mark a 3.x level. Another protocol gets no answer
// [MQTT5-3.1.2-1] [MQTT311-3.1.2-1].
void read_version(ByteReader& in, Connect& out, std::optional<ProtocolVersion>& answer_as) {
  const std::string_view name = in.string();
  const uint8_t level = in.byte();
  if (!in.ok()) return;
  const bool is_31 = name == "MQIsdp";
  if (name != "MQTT" && !is_31) {
    return in.fail(ReasonCode::kUnsupportedProtocolVersion, "unknown protocol name");
  }
  if (is_31 && level == 3) {
    out.version = ProtocolVersion::kMqtt31;
  } else if (!is_31 && level == 4) {
    out.version = ProtocolVersion::kMqtt311;
  } else if (!is_31 && level == 5) {
    out.version = ProtocolVersion::kMqtt5;
    answer_as = ProtocolVersion::kMqtt5;
  } else {
    const bool knows_5 = !is_31 && level > 5 && level < 0x80;
    answer_as = knows_5 ? ProtocolVersion::kMqtt5 : ProtocolVersion::kMqtt311;
    in.fail(ReasonCode::kUnsupportedProtocolVersion, "unsupported protocol level");
  }
}

void check_flags(ByteReader& in, ProtocolVersion version, uint8_t flags) {
  const uint8_t will_qos = (flags >> kWillQosShift) & 0x03;
  // 3.1 disregards what 3.1.1 demands to be 0: the reserved bit, and the will's bits without a
  // will.
  const bool strict = version != ProtocolVersion::kMqtt31;
  if (strict && (flags & kReservedFlag) != 0) {  // [MQTT5-3.1.2-3] [MQTT311-3.1.2-3]
    in.fail(ReasonCode::kMalformedPacket, "reserved connect flag");
  }
  if ((flags & kWillFlag) != 0) {
    if (will_qos == 3) {  // [MQTT5-3.1.2-12] [MQTT311-3.1.2-14]
      in.fail(ReasonCode::kMalformedPacket, "will QoS 3");
    }
  } else if (strict) {
    if (will_qos != 0) {  // [MQTT5-3.1.2-11] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13]
      in.fail(ReasonCode::kMalformedPacket, "will QoS without a will");
    }
    if ((flags & kWillRetainFlag) != 0) {  // [MQTT5-3.1.2-13] [MQTT311-3.1.2-15]
      in.fail(ReasonCode::kMalformedPacket, "will retain without a will");
    }
  }
  // 5.0 allows a password alone (3.1.2.9).
  if (version != ProtocolVersion::kMqtt5 && (flags & kPasswordFlag) != 0 &&
      (flags & kUserNameFlag) == 0) {  // [MQTT311-3.1.2-22]
    in.fail(ReasonCode::kMalformedPacket, "password without a user name");
  }
}

void read_connect_properties(ByteReader& in, Connect& out) {
  PropertyReader properties(in, PacketType::kConnect);
  for (Property property; properties.next(property);) {
    const uint32_t number = property.number;
    switch (property.id) {
      case PropertyId::kSessionExpiryInterval: out.session_expiry_s = number; break;
      case PropertyId::kReceiveMaximum: out.receive_maximum = number; break;
      case PropertyId::kMaximumPacketSize: out.maximum_packet_size = number; break;
      case PropertyId::kTopicAliasMaximum: out.topic_alias_maximum = number; break;
      case PropertyId::kRequestResponseInformation:
        out.request_response_information = number;
        break;
      case PropertyId::kRequestProblemInformation: out.request_problem_information = number; break;
      case PropertyId::kAuthenticationMethod: out.authentication_method = property.text; break;
      case PropertyId::kAuthenticationData: out.authentication_data = property.bytes; break;
      default: break;  // user properties: a range
    }
  }
  out.user_properties = properties.user_properties();
  if (out.authentication_data && !out.authentication_method) {  // 3.1.2.11.10
    in.fail(ReasonCode::kProtocolError, "authentication data without a method");
  }
}

void read_will_properties(ByteReader& in, Will& out) {
  PropertyReader properties(in, kWillProperties);
  for (Property property; properties.next(property);) {
    if (take_application_property(property, out.application)) continue;
    if (property.id == PropertyId::kWillDelayInterval) out.delay_s = property.number;
    if (property.id == PropertyId::kMessageExpiryInterval) out.message_expiry_s = property.number;
  }
  out.application.user_properties = properties.user_properties();
}

// [MQTT5-3.1.2-9] [MQTT311-3.1.2-9]
void read_will(ByteReader& in, ProtocolVersion version, uint8_t flags, Will& out) {
  out.qos = static_cast<Qos>((flags >> kWillQosShift) & 0x03);
  out.retain = (flags & kWillRetainFlag) != 0;
  if (version == ProtocolVersion::kMqtt5) read_will_properties(in, out);
  out.topic = in.unchecked_string();
  out.payload = in.binary();
  if (!in.ok()) return;
  // [MQTT5-3.1.3-11] [MQTT311-3.1.3-10] and what holds for every topic name.
  if (const auto wrong = check_topic_name(out.topic)) {
    in.fail(ReasonCode::kMalformedPacket, wrong->data());
  }
}

// Client Identifier, will, user name, password, in this order [MQTT5-3.1.3-1] [MQTT311-3.1.3-1].
void read_payload(ByteReader& in, uint8_t flags, Connect& out) {
  // [MQTT5-3.1.3-3] [MQTT5-3.1.3-4] [MQTT311-3.1.3-3] [MQTT311-3.1.3-4]
  out.client_id = in.string();
  if ((flags & kWillFlag) != 0) read_will(in, out.version, flags, out.will.emplace());
  // 3.1 gives the Remaining Length precedence over these two flags: what is not there is not there.
  const auto follows = [&](uint8_t flag) {
    const bool missing = out.version == ProtocolVersion::kMqtt31 && in.at_end();
    return (flags & flag) != 0 && !missing;
  };
  // [MQTT5-3.1.2-16] [MQTT5-3.1.2-17] [MQTT5-3.1.3-12] [MQTT311-3.1.2-18] [MQTT311-3.1.2-19]
  // [MQTT311-3.1.3-11]
  if (follows(kUserNameFlag)) out.user_name = in.string();
  // [MQTT5-3.1.2-18] [MQTT5-3.1.2-19] [MQTT311-3.1.2-20] [MQTT311-3.1.2-21]
  if (follows(kPasswordFlag)) out.password = in.binary();
}

void read_connack_properties(ByteReader& in, ConnAck& out) {
  PropertyReader properties(in, PacketType::kConnAck);
  for (Property property; properties.next(property);) {
    const uint32_t number = property.number;
    switch (property.id) {
      case PropertyId::kSessionExpiryInterval: out.session_expiry_s = number; break;
      case PropertyId::kReceiveMaximum: out.receive_maximum = number; break;
      case PropertyId::kMaximumQos: out.maximum_qos = static_cast<Qos>(number); break;
      case PropertyId::kRetainAvailable: out.retain_available = number; break;
      case PropertyId::kMaximumPacketSize: out.maximum_packet_size = number; break;
      case PropertyId::kAssignedClientIdentifier: out.assigned_client_id = property.text; break;
      case PropertyId::kTopicAliasMaximum: out.topic_alias_maximum = number; break;
      case PropertyId::kReasonString: out.reason_string = property.text; break;
      case PropertyId::kWildcardSubscriptionAvailable:
        out.wildcard_subscription_available = number;
        break;
      case PropertyId::kSubscriptionIdentifierAvailable:
        out.subscription_identifier_available = number;
        break;
      case PropertyId::kSharedSubscriptionAvailable:
        out.shared_subscription_available = number;
        break;
      case PropertyId::kServerKeepAlive: out.server_keep_alive_s = number; break;
      case PropertyId::kResponseInformation: out.response_information = property.text; break;
      case PropertyId::kServerReference: out.server_reference = property.text; break;
      case PropertyId::kAuthenticationMethod: out.authentication_method = property.text; break;
      case PropertyId::kAuthenticationData: out.authentication_data = property.bytes; break;
      default: break;  // user properties: a range
    }
  }
  out.user_properties = properties.user_properties();
}

void read_connack_reason(ByteReader& in, ProtocolVersion version, ConnAck& out) {
  const uint8_t code = in.byte();
  if (version == ProtocolVersion::kMqtt5) {
    out.reason = static_cast<ReasonCode>(code);
    if (!is_reason_of(PacketType::kConnAck, Sender::kServer, out.reason)) {  // [MQTT5-3.2.2-8]
      in.fail(ReasonCode::kProtocolError, "no reason code of CONNACK");
    }
  } else if (const auto reason = reason_of_connack_return_code(code)) {
    out.reason = *reason;
  } else {
    in.fail(ReasonCode::kProtocolError, "reserved CONNACK return code");
  }
}

}  // namespace

DecodeStatus decode_connect(const Frame& frame, Connect& out,
                            std::optional<ProtocolVersion>& answer_as) {
  out = Connect{};
  answer_as.reset();
  ByteReader in(frame.body);
  read_version(in, out, answer_as);
  if (!in.ok()) return in.status();
  if (frame.flags() != 0 && out.version != ProtocolVersion::kMqtt31) {
    // [MQTT5-2.1.3-1] [MQTT311-2.2.2-2]
    in.fail(ReasonCode::kMalformedPacket, "reserved flags of the fixed header");
  }
  const uint8_t flags = in.byte();
  if (in.ok()) check_flags(in, out.version, flags);
  out.clean_start = (flags & kCleanStartFlag) != 0;
  out.keep_alive_s = in.two_bytes();
  if (out.version == ProtocolVersion::kMqtt5) read_connect_properties(in, out);
  read_payload(in, flags, out);
  in.expect_end();
  return in.status();
}

std::optional<ProtocolVersion> answer_to_beginning(ByteView beginning) {
  ByteReader in(beginning);
  const bool is_connect = in.byte() == static_cast<uint8_t>(PacketType::kConnect) << 4;
  in.varint();
  Connect out;
  std::optional<ProtocolVersion> answer_as;
  if (is_connect) read_version(in, out, answer_as);
  return answer_as == ProtocolVersion::kMqtt5 ? answer_as : std::nullopt;
}

DecodeStatus decode_connack(const Frame& frame, ProtocolVersion version, ConnAck& out) {
  out = ConnAck{};
  ByteReader in(frame.body);
  const uint8_t flags = in.byte();
  if (version != ProtocolVersion::kMqtt31) {  // where the header's flags and that byte are unused
    if (frame.flags() != 0) {                 // [MQTT5-2.1.3-1] [MQTT311-2.2.2-2]
      in.fail(ReasonCode::kMalformedPacket, "reserved flags of the fixed header");
    }
    if (flags > 1) in.fail(ReasonCode::kMalformedPacket, "reserved flags");  // [MQTT5-3.2.2-1]
    out.session_present = flags == 1;
  }
  read_connack_reason(in, version, out);
  if (out.session_present && is_error(out.reason)) {  // [MQTT5-3.2.2-6] [MQTT311-3.2.2-4]
    in.fail(ReasonCode::kProtocolError, "session present in a refusal");
  }
  if (version == ProtocolVersion::kMqtt5) read_connack_properties(in, out);
  in.expect_end();
  return in.status();
}

}  // namespace shoal
