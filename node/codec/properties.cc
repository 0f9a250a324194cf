#include "node/codec/properties.h"

#include <array>

#include "node/codec/byte_sink.h"

namespace shoal {
namespace {

constexpr uint16_t in(PacketType type) {
  return static_cast<uint16_t>(1 << static_cast<int>(type));
}

constexpr uint16_t kWill = in(kWillProperties);
constexpr uint16_t kConnect = in(PacketType::kConnect);
constexpr uint16_t kConnAck = in(PacketType::kConnAck);
constexpr uint16_t kPublish = in(PacketType::kPublish);
constexpr uint16_t kSubscribe = in(PacketType::kSubscribe);
constexpr uint16_t kDisconnect = in(PacketType::kDisconnect);
constexpr uint16_t kAuth = in(PacketType::kAuth);
constexpr uint16_t kAnswers = in(PacketType::kPubAck) | in(PacketType::kPubRec) |
                              in(PacketType::kPubRel) | in(PacketType::kPubComp) |
                              in(PacketType::kSubAck) | in(PacketType::kUnsubAck);
constexpr uint16_t kEverywhere = kWill | kConnect | kConnAck | kPublish | kAnswers | kSubscribe |
                                 in(PacketType::kUnsubscribe) | kDisconnect | kAuth;

struct PropertyRow {
  PropertyType type = PropertyType::kNone;
  uint16_t places = 0;
  const char* name = "unknown";
};

// Table 2-4.
constexpr auto kProperties = [] {
  std::array<PropertyRow, kPropertyIdMax + 1> rows{};
  const auto set = [&rows](PropertyId id, PropertyType type, int places, const char* name) {
    rows[static_cast<size_t>(id)] = {type, static_cast<uint16_t>(places), name};
  };
  using enum PropertyId;
  using enum PropertyType;
  set(kPayloadFormatIndicator, kByte, kPublish | kWill, "Payload Format Indicator");
  set(kMessageExpiryInterval, kFourByteInteger, kPublish | kWill, "Message Expiry Interval");
  set(kContentType, kString, kPublish | kWill, "Content Type");
  set(kResponseTopic, kString, kPublish | kWill, "Response Topic");
  set(kCorrelationData, kBinary, kPublish | kWill, "Correlation Data");
  set(kSubscriptionIdentifier, kVarint, kPublish | kSubscribe, "Subscription Identifier");
  set(kSessionExpiryInterval, kFourByteInteger, kConnect | kConnAck | kDisconnect,
      "Session Expiry Interval");
  set(kAssignedClientIdentifier, kString, kConnAck, "Assigned Client Identifier");
  set(kServerKeepAlive, kTwoByteInteger, kConnAck, "Server Keep Alive");
  set(kAuthenticationMethod, kString, kConnect | kConnAck | kAuth, "Authentication Method");
  set(kAuthenticationData, kBinary, kConnect | kConnAck | kAuth, "Authentication Data");
  set(kRequestProblemInformation, kByte, kConnect, "Request Problem Information");
  set(kWillDelayInterval, kFourByteInteger, kWill, "Will Delay Interval");
  set(kRequestResponseInformation, kByte, kConnect, "Request Response Information");
  set(kResponseInformation, kString, kConnAck, "Response Information");
  set(kServerReference, kString, kConnAck | kDisconnect, "Server Reference");
  set(kReasonString, kString, kConnAck | kAnswers | kDisconnect | kAuth, "Reason String");
  set(kReceiveMaximum, kTwoByteInteger, kConnect | kConnAck, "Receive Maximum");
  set(kTopicAliasMaximum, kTwoByteInteger, kConnect | kConnAck, "Topic Alias Maximum");
  set(kTopicAlias, kTwoByteInteger, kPublish, "Topic Alias");
  set(kMaximumQos, kByte, kConnAck, "Maximum QoS");
  set(kRetainAvailable, kByte, kConnAck, "Retain Available");
  set(kUserProperty, kStringPair, kEverywhere, "User Property");
  set(kMaximumPacketSize, kFourByteInteger, kConnect | kConnAck, "Maximum Packet Size");
  set(kWildcardSubscriptionAvailable, kByte, kConnAck, "Wildcard Subscription Available");
  set(kSubscriptionIdentifierAvailable, kByte, kConnAck, "Subscription Identifier Available");
  set(kSharedSubscriptionAvailable, kByte, kConnAck, "Shared Subscription Available");
  return rows;
}();

constexpr PropertyRow kUnknown;

const PropertyRow& row_of(PropertyId id) {
  return static_cast<size_t>(id) < kProperties.size() ? kProperties[static_cast<size_t>(id)]
                                                      : kUnknown;
}

uint16_t two_bytes(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

std::string_view string_at(const uint8_t* at) { return text_of(ByteView(at + 2, two_bytes(at))); }

const uint8_t* after_string(const uint8_t* at) { return at + 2 + two_bytes(at); }

}  // namespace

PropertyType type_of(PropertyId id) { return row_of(id).type; }

bool is_property_of(PropertyId id, PacketType where) {
  return (row_of(id).places & in(where)) != 0;
}

std::string_view name_of(PropertyId id) { return row_of(id).name; }

namespace properties_detail {

const uint8_t* after(const uint8_t* at) {
  const PropertyType type = type_of(static_cast<PropertyId>(*at++));
  switch (type) {
    case PropertyType::kByte: return at + 1;
    case PropertyType::kTwoByteInteger: return at + 2;
    case PropertyType::kFourByteInteger: return at + 4;
    case PropertyType::kVarint:
      while (*at >= 0x80) ++at;
      return at + 1;
    case PropertyType::kBinary:
    case PropertyType::kString: return after_string(at);
    case PropertyType::kStringPair: return after_string(after_string(at));
    case PropertyType::kNone: break;
  }
  SHOAL_ASSERT(!"a property block that was not validated");
  return at;
}

const uint8_t* find(const uint8_t* at, const uint8_t* end, PropertyId id) {
  while (at != end && *at != static_cast<uint8_t>(id)) at = after(at);
  return at;
}

UserProperty ReadUserProperty::read(const uint8_t* at) {
  return {string_at(at), string_at(after_string(at))};
}

uint32_t ReadVarint::read(const uint8_t* at) { return read_varint(at, at + 4).value; }

}  // namespace properties_detail

void append_user_property(std::string_view name, std::string_view value,
                          std::vector<uint8_t>& out) {
  const size_t old_size = out.size();
  out.resize(old_size + 1 + 2 + name.size() + 2 + value.size());
  ByteSink sink(out.data() + old_size);
  put_user_property(sink, name, value);
}

void append_subscription_identifier(uint32_t id, std::vector<uint8_t>& out) {
  const size_t old_size = out.size();
  out.resize(old_size + 1 + varint_size(id));
  ByteSink sink(out.data() + old_size);
  put_subscription_identifier(sink, id);
}

}  // namespace shoal
