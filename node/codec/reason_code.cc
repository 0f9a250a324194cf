#include "node/codec/reason_code.h"

#include <array>

namespace shoal {
namespace {

// One bit a packet type, so that a row says where a code may appear. DISCONNECT and AUTH have a bit
// for each sender: their tables differ by direction.
enum : uint16_t {
  kInConnAck = 1 << 0,
  kInPubAck = 1 << 1,
  kInPubRec = 1 << 2,
  kInPubRel = 1 << 3,
  kInPubComp = 1 << 4,
  kInSubAck = 1 << 5,
  kInUnsubAck = 1 << 6,
  kInClientDisconnect = 1 << 7,
  kInServerDisconnect = 1 << 8,
  kInClientAuth = 1 << 9,
  kInServerAuth = 1 << 10,

  kInPublishAnswer = kInPubAck | kInPubRec,
  kInReleaseAnswer = kInPubRel | kInPubComp,
  kInDisconnect = kInClientDisconnect | kInServerDisconnect,
};

struct Reason {
  ReasonCode reason;
  uint16_t places;
  const char* name;
};

// Table 2-6, with the "sent by" columns of 3.14.2.1 and 3.15.2.1.
constexpr Reason kReasons[] = {
    {ReasonCode::kSuccess,
     kInConnAck | kInPublishAnswer | kInReleaseAnswer | kInSubAck | kInUnsubAck |
         kInClientDisconnect | kInServerAuth,
     "success"},
    {ReasonCode::kGrantedQos1, kInSubAck, "granted_qos_1"},
    {ReasonCode::kGrantedQos2, kInSubAck, "granted_qos_2"},
    {ReasonCode::kDisconnectWithWillMessage, kInClientDisconnect, "disconnect_with_will_message"},
    {ReasonCode::kNoMatchingSubscribers, kInPublishAnswer, "no_matching_subscribers"},
    {ReasonCode::kNoSubscriptionExisted, kInUnsubAck, "no_subscription_existed"},
    {ReasonCode::kContinueAuthentication, kInClientAuth | kInServerAuth, "continue_authentication"},
    {ReasonCode::kReAuthenticate, kInClientAuth, "re_authenticate"},
    {ReasonCode::kUnspecifiedError,
     kInConnAck | kInPublishAnswer | kInSubAck | kInUnsubAck | kInDisconnect, "unspecified_error"},
    {ReasonCode::kMalformedPacket, kInConnAck | kInDisconnect, "malformed_packet"},
    {ReasonCode::kProtocolError, kInConnAck | kInDisconnect, "protocol_error"},
    {ReasonCode::kImplementationSpecificError,
     kInConnAck | kInPublishAnswer | kInSubAck | kInUnsubAck | kInDisconnect,
     "implementation_specific_error"},
    {ReasonCode::kUnsupportedProtocolVersion, kInConnAck, "unsupported_protocol_version"},
    {ReasonCode::kClientIdentifierNotValid, kInConnAck, "client_identifier_not_valid"},
    {ReasonCode::kBadUserNameOrPassword, kInConnAck, "bad_user_name_or_password"},
    {ReasonCode::kNotAuthorized,
     kInConnAck | kInPublishAnswer | kInSubAck | kInUnsubAck | kInServerDisconnect,
     "not_authorized"},
    {ReasonCode::kServerUnavailable, kInConnAck, "server_unavailable"},
    {ReasonCode::kServerBusy, kInConnAck | kInServerDisconnect, "server_busy"},
    {ReasonCode::kBanned, kInConnAck, "banned"},
    {ReasonCode::kServerShuttingDown, kInServerDisconnect, "server_shutting_down"},
    {ReasonCode::kBadAuthenticationMethod, kInConnAck | kInServerDisconnect,
     "bad_authentication_method"},
    {ReasonCode::kKeepAliveTimeout, kInServerDisconnect, "keep_alive_timeout"},
    {ReasonCode::kSessionTakenOver, kInServerDisconnect, "session_taken_over"},
    {ReasonCode::kTopicFilterInvalid, kInSubAck | kInUnsubAck | kInServerDisconnect,
     "topic_filter_invalid"},
    {ReasonCode::kTopicNameInvalid, kInConnAck | kInPublishAnswer | kInDisconnect,
     "topic_name_invalid"},
    {ReasonCode::kPacketIdentifierInUse, kInPublishAnswer | kInSubAck | kInUnsubAck,
     "packet_identifier_in_use"},
    {ReasonCode::kPacketIdentifierNotFound, kInReleaseAnswer, "packet_identifier_not_found"},
    {ReasonCode::kReceiveMaximumExceeded, kInDisconnect, "receive_maximum_exceeded"},
    {ReasonCode::kTopicAliasInvalid, kInDisconnect, "topic_alias_invalid"},
    {ReasonCode::kPacketTooLarge, kInConnAck | kInDisconnect, "packet_too_large"},
    {ReasonCode::kMessageRateTooHigh, kInDisconnect, "message_rate_too_high"},
    {ReasonCode::kQuotaExceeded, kInConnAck | kInPublishAnswer | kInSubAck | kInDisconnect,
     "quota_exceeded"},
    {ReasonCode::kAdministrativeAction, kInDisconnect, "administrative_action"},
    {ReasonCode::kPayloadFormatInvalid, kInConnAck | kInPublishAnswer | kInDisconnect,
     "payload_format_invalid"},
    {ReasonCode::kRetainNotSupported, kInConnAck | kInServerDisconnect, "retain_not_supported"},
    {ReasonCode::kQosNotSupported, kInConnAck | kInServerDisconnect, "qos_not_supported"},
    {ReasonCode::kUseAnotherServer, kInConnAck | kInServerDisconnect, "use_another_server"},
    {ReasonCode::kServerMoved, kInConnAck | kInServerDisconnect, "server_moved"},
    {ReasonCode::kSharedSubscriptionsNotSupported, kInSubAck | kInServerDisconnect,
     "shared_subscriptions_not_supported"},
    {ReasonCode::kConnectionRateExceeded, kInConnAck | kInServerDisconnect,
     "connection_rate_exceeded"},
    {ReasonCode::kMaximumConnectTime, kInServerDisconnect, "maximum_connect_time"},
    {ReasonCode::kSubscriptionIdentifiersNotSupported, kInSubAck | kInServerDisconnect,
     "subscription_identifiers_not_supported"},
    {ReasonCode::kWildcardSubscriptionsNotSupported, kInSubAck | kInServerDisconnect,
     "wildcard_subscriptions_not_supported"},
};

// Spread over the byte's range once, at compile time: an acknowledgement is decoded per message.
constexpr auto kPlacesOf = [] {
  std::array<uint16_t, 256> places{};
  for (const Reason& row : kReasons) places[static_cast<uint8_t>(row.reason)] = row.places;
  return places;
}();

uint16_t place_of(PacketType type, Sender sender) {
  const bool client = sender == Sender::kClient;
  switch (type) {
    case PacketType::kConnAck: return client ? 0 : kInConnAck;
    case PacketType::kPubAck: return kInPubAck;
    case PacketType::kPubRec: return kInPubRec;
    case PacketType::kPubRel: return kInPubRel;
    case PacketType::kPubComp: return kInPubComp;
    case PacketType::kSubAck: return client ? 0 : kInSubAck;
    case PacketType::kUnsubAck: return client ? 0 : kInUnsubAck;
    case PacketType::kDisconnect: return client ? kInClientDisconnect : kInServerDisconnect;
    case PacketType::kAuth: return client ? kInClientAuth : kInServerAuth;
    default: return 0;
  }
}

}  // namespace

std::string_view name_of(PacketType type) {
  static constexpr std::string_view kNames[] = {"reserved",  "CONNECT",  "CONNACK",     "PUBLISH",
                                                "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
                                                "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                                "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH"};
  return kNames[static_cast<uint8_t>(type) & 0x0F];
}

std::string_view name_of(ReasonCode reason) {
  for (const Reason& row : kReasons) {
    if (row.reason == reason) return row.name;
  }
  return "unknown";
}

bool is_reason_of(PacketType type, Sender sender, ReasonCode reason) {
  // Only a server knows that nobody matched (3.4.2.1, 3.5.2.1).
  if (reason == ReasonCode::kNoMatchingSubscribers && sender == Sender::kClient) return false;
  return (kPlacesOf[static_cast<uint8_t>(reason)] & place_of(type, sender)) != 0;
}

std::optional<uint8_t> connack_return_code_of(ReasonCode reason) {
  switch (reason) {
    case ReasonCode::kSuccess: return 0;
    case ReasonCode::kUnsupportedProtocolVersion: return 1;
    case ReasonCode::kClientIdentifierNotValid: return 2;
    case ReasonCode::kServerUnavailable:
    case ReasonCode::kServerBusy:
    case ReasonCode::kUseAnotherServer:
    case ReasonCode::kServerMoved:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kConnectionRateExceeded: return 3;
    case ReasonCode::kBadUserNameOrPassword: return 4;
    case ReasonCode::kNotAuthorized:
    case ReasonCode::kBanned: return 5;
    default: return std::nullopt;
  }
}

std::optional<ReasonCode> reason_of_connack_return_code(uint8_t code) {
  switch (code) {
    case 0: return ReasonCode::kSuccess;
    case 1: return ReasonCode::kUnsupportedProtocolVersion;
    case 2: return ReasonCode::kClientIdentifierNotValid;
    case 3: return ReasonCode::kServerUnavailable;
    case 4: return ReasonCode::kBadUserNameOrPassword;
    case 5: return ReasonCode::kNotAuthorized;
    default: return std::nullopt;
  }
}

uint8_t suback_code_of(ReasonCode reason, ProtocolVersion version) {
  if (version == ProtocolVersion::kMqtt5 || !is_error(reason)) return static_cast<uint8_t>(reason);
  return version == ProtocolVersion::kMqtt311 ? 0x80 : 0x00;
}

}  // namespace shoal
