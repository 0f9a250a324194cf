// The control packets of MQTT 3.1, 3.1.1 and 5.0 as plain structs of views: decoding fills them
// with views of the input, encoding reads them; nobody here owns or allocates. So a decoded packet
// lives as long as the bytes that it came from.
//
// What only 5.0 has is empty in a 3.x packet, and left out when one is encoded. A property is
// std::optional where its absence can be told from its default: `value_or` gives the default that
// the standard names. Intervals are in seconds, as on the wire. (Every member has an initialiser,
// be it
// {}, so that a designated initialiser may leave it out without a warning.)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "node/codec/packet_lists.h"
#include "node/codec/packet_type.h"
#include "node/codec/properties.h"
#include "node/codec/reason_code.h"
#include "shoal/byte_view.h"
#include "shoal/types.h"

namespace shoal {

// The properties of an application message that a server forwards unaltered and in their order
// [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]
// [MQTT5-3.3.2-20]; of a PUBLISH and of a will alike [MQTT5-3.1.3-10].
struct ApplicationProperties {
  std::optional<uint8_t> payload_format{};  // Payload Format Indicator: 0 bytes, 1 UTF-8 text
  std::optional<std::string_view> content_type{};
  std::optional<std::string_view> response_topic{};
  std::optional<ByteView> correlation_data{};
  UserProperties user_properties{};

  // Filled by decoding, not read by encoding: the shortest run of the received property block that
  // holds all of the above, and how many of its bytes do. Other properties may stand between.
  ByteView window{};
  uint32_t size = 0;

  // Then `window` is what a server forwards, as it is.
  bool is_contiguous() const { return window.size() == size; }
};

struct Will {
  Qos qos = Qos::k0;
  bool retain = false;
  std::string_view topic{};
  ByteView payload{};
  std::optional<uint32_t> delay_s{};           // 0 if absent
  std::optional<uint32_t> message_expiry_s{};  // never if absent
  ApplicationProperties application{};
};

struct Connect {
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  bool clean_start = false;   // 3.x: Clean Session
  uint16_t keep_alive_s = 0;  // 0: none
  std::string_view client_id{};
  std::optional<Will> will{};
  std::optional<std::string_view> user_name{};
  std::optional<ByteView> password{};

  std::optional<uint32_t> session_expiry_s{};          // 0 if absent; 0xFFFFFFFF: never
  std::optional<uint16_t> receive_maximum{};           // 65,535 if absent
  std::optional<uint32_t> maximum_packet_size{};       // no limit if absent
  std::optional<uint16_t> topic_alias_maximum{};       // 0 if absent
  std::optional<bool> request_response_information{};  // false if absent
  std::optional<bool> request_problem_information{};   // true if absent
  std::optional<std::string_view> authentication_method{};
  std::optional<ByteView> authentication_data{};
  UserProperties user_properties{};
};

struct ConnAck {
  bool session_present = false;  // 3.1 has no such bit: not encoded, not decoded
  // In 3.x one that connack_return_code_of knows.
  ReasonCode reason = ReasonCode::kSuccess;

  std::optional<uint32_t> session_expiry_s{};  // the client's own value holds if absent
  std::optional<uint16_t> receive_maximum{};   // 65,535 if absent
  std::optional<Qos> maximum_qos{};            // k0 or k1; 2 if absent
  std::optional<bool> retain_available{};      // true if absent, like the other three
  std::optional<uint32_t> maximum_packet_size{};
  std::optional<std::string_view> assigned_client_id{};
  std::optional<uint16_t> topic_alias_maximum{};  // 0 if absent
  std::optional<std::string_view> reason_string{};
  UserProperties user_properties{};
  std::optional<bool> wildcard_subscription_available{};
  std::optional<bool> subscription_identifier_available{};
  std::optional<bool> shared_subscription_available{};
  std::optional<uint16_t> server_keep_alive_s{};
  std::optional<std::string_view> response_information{};
  std::optional<std::string_view> server_reference{};
  std::optional<std::string_view> authentication_method{};
  std::optional<ByteView> authentication_data{};
};

struct Publish {
  bool dup = false;
  Qos qos = Qos::k0;
  bool retain = false;
  uint16_t packet_id = 0;    // 0 exactly at QoS 0 [MQTT5-2.2.1-2] [MQTT311-2.3.1-5]
  std::string_view topic{};  // empty only with a topic alias
  ByteView payload{};

  std::optional<uint16_t> topic_alias{};               // 1 or more
  std::optional<uint32_t> message_expiry_s{};          // never if absent
  SubscriptionIdentifiers subscription_identifiers{};  // server to client only
  ApplicationProperties application{};
};

// PUBACK, PUBREC, PUBREL or PUBCOMP.
struct Ack {
  PacketType type = PacketType::kPubAck;
  uint16_t packet_id = 0;
  ReasonCode reason = ReasonCode::kSuccess;
  std::optional<std::string_view> reason_string{};
  UserProperties user_properties{};
};

struct Subscribe {
  uint16_t packet_id = 0;
  std::optional<uint32_t> subscription_identifier{};  // 1 or more
  UserProperties user_properties{};
  SubscriptionList subscriptions{};  // at least one
};

struct SubAck {
  uint16_t packet_id = 0;
  std::optional<std::string_view> reason_string{};
  UserProperties user_properties{};
  ReasonCodes reasons{};  // one for each filter, in order [MQTT5-3.9.3-1] [MQTT311-3.9.3-1]
};

struct Unsubscribe {
  uint16_t packet_id = 0;
  UserProperties user_properties{};
  FilterList filters{};  // at least one
};

struct UnsubAck {
  uint16_t packet_id = 0;
  std::optional<std::string_view> reason_string{};
  UserProperties user_properties{};
  ReasonCodes reasons{};  // one for each filter, in order [MQTT5-3.11.3-1]; empty in 3.x
};

struct PingReq {};

struct PingResp {};

struct Disconnect {
  ReasonCode reason = ReasonCode::kNormalDisconnection;
  std::optional<uint32_t> session_expiry_s{};  // client to server only [MQTT5-3.14.2-2]
  std::optional<std::string_view> reason_string{};
  UserProperties user_properties{};
  std::optional<std::string_view> server_reference{};
};

// 5.0 only.
struct Auth {
  ReasonCode reason = ReasonCode::kSuccess;
  std::optional<std::string_view> authentication_method{};  // always there in a decoded packet
  std::optional<ByteView> authentication_data{};
  std::optional<std::string_view> reason_string{};
  UserProperties user_properties{};
};

}  // namespace shoal
