// Reason codes of MQTT 5.0 (2.4), which packets may carry them, and their 3.x return codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "node/codec/packet_type.h"
#include "shoal/types.h"

namespace shoal {

enum class ReasonCode : uint8_t {
  kSuccess = 0x00,
  kNormalDisconnection = 0x00,
  kGrantedQos0 = 0x00,
  kGrantedQos1 = 0x01,
  kGrantedQos2 = 0x02,
  kDisconnectWithWillMessage = 0x04,
  kNoMatchingSubscribers = 0x10,
  kNoSubscriptionExisted = 0x11,
  kContinueAuthentication = 0x18,
  kReAuthenticate = 0x19,
  kUnspecifiedError = 0x80,
  kMalformedPacket = 0x81,
  kProtocolError = 0x82,
  kImplementationSpecificError = 0x83,
  kUnsupportedProtocolVersion = 0x84,
  kClientIdentifierNotValid = 0x85,
  kBadUserNameOrPassword = 0x86,
  kNotAuthorized = 0x87,
  kServerUnavailable = 0x88,
  kServerBusy = 0x89,
  kBanned = 0x8A,
  kServerShuttingDown = 0x8B,
  kBadAuthenticationMethod = 0x8C,
  kKeepAliveTimeout = 0x8D,
  kSessionTakenOver = 0x8E,
  kTopicFilterInvalid = 0x8F,
  kTopicNameInvalid = 0x90,
  kPacketIdentifierInUse = 0x91,
  kPacketIdentifierNotFound = 0x92,
  kReceiveMaximumExceeded = 0x93,
  kTopicAliasInvalid = 0x94,
  kPacketTooLarge = 0x95,
  kMessageRateTooHigh = 0x96,
  kQuotaExceeded = 0x97,
  kAdministrativeAction = 0x98,
  kPayloadFormatInvalid = 0x99,
  kRetainNotSupported = 0x9A,
  kQosNotSupported = 0x9B,
  kUseAnotherServer = 0x9C,
  kServerMoved = 0x9D,
  kSharedSubscriptionsNotSupported = 0x9E,
  kConnectionRateExceeded = 0x9F,
  kMaximumConnectTime = 0xA0,
  kSubscriptionIdentifiersNotSupported = 0xA1,
  kWildcardSubscriptionsNotSupported = 0xA2,
};

constexpr bool is_error(ReasonCode reason) { return static_cast<uint8_t>(reason) >= 0x80; }

// A name for logs, "session_taken_over" for instance; "unknown" for a number that has none.
std::string_view name_of(ReasonCode reason);

// Who sends a packet: some reason codes are legal in one direction only.
enum class Sender : uint8_t { kClient, kServer };

// Whether 5.0 lets `sender` put `reason` into a packet of `type`: the tables of 3.2.2.2 (CONNACK),
// 3.4.2.1 (PUBACK) and so on. False for packets without a reason code.
bool is_reason_of(PacketType type, Sender sender, ReasonCode reason);

// The CONNACK return code of 3.1 and 3.1.1 (0 to 5) that says the same. None when there is none:
// then the connection is closed without a CONNACK [MQTT311-3.2.2-6].
std::optional<uint8_t> connack_return_code_of(ReasonCode reason);
// The other way, for a 3.x CONNACK that was received; none for 6 and above, which are reserved.
std::optional<ReasonCode> reason_of_connack_return_code(uint8_t code);

// What a SUBACK's payload says for `reason`. 3.1.1 knows only the granted QoS and 0x80
// [MQTT311-3.9.3-2]; 3.1 has no failure code at all, so a refusal looks like a granted QoS 0 there.
uint8_t suback_code_of(ReasonCode reason, ProtocolVersion version);

}  // namespace shoal
