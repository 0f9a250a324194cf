// The properties of MQTT 5.0 (2.2.2): identifiers, types, where each may stand, and ranges over
// those that a packet may hold many of. Nothing here owns or allocates: ranges are views of a
// property block that was validated when the packet was decoded, or was written by
// append_user_property.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "node/codec/packet_type.h"
#include "shoal/byte_view.h"

namespace shoal {

enum class PropertyId : uint8_t {
  kPayloadFormatIndicator = 0x01,
  kMessageExpiryInterval = 0x02,
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelationData = 0x09,
  kSubscriptionIdentifier = 0x0B,
  kSessionExpiryInterval = 0x11,
  kAssignedClientIdentifier = 0x12,
  kServerKeepAlive = 0x13,
  kAuthenticationMethod = 0x15,
  kAuthenticationData = 0x16,
  kRequestProblemInformation = 0x17,
  kWillDelayInterval = 0x18,
  kRequestResponseInformation = 0x19,
  kResponseInformation = 0x1A,
  kServerReference = 0x1C,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAliasMaximum = 0x22,
  kTopicAlias = 0x23,
  kMaximumQos = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
  kMaximumPacketSize = 0x27,
  kWildcardSubscriptionAvailable = 0x28,
  kSubscriptionIdentifierAvailable = 0x29,
  kSharedSubscriptionAvailable = 0x2A,
};
constexpr uint8_t kPropertyIdMax = 0x2A;

enum class PropertyType : uint8_t {
  kNone,  // no such property
  kByte,
  kTwoByteInteger,
  kFourByteInteger,
  kVarint,
  kBinary,
  kString,
  kStringPair,
};

// Where a property block stands: in a packet of some type, or, as PacketType::kReserved, before a
// will's topic in CONNECT.
constexpr PacketType kWillProperties = PacketType::kReserved;

// kNone for an identifier that the standard does not define.
PropertyType type_of(PropertyId id);
bool is_property_of(PropertyId id, PacketType where);
// Whether a server hands it on unaltered with the message: see ApplicationProperties.
constexpr bool is_forwarded(PropertyId id) {
  switch (id) {
    case PropertyId::kPayloadFormatIndicator:
    case PropertyId::kContentType:
    case PropertyId::kResponseTopic:
    case PropertyId::kCorrelationData:
    case PropertyId::kUserProperty: return true;
    default: return false;
  }
}
// The standard's name, "Topic Alias" for instance.
std::string_view name_of(PropertyId id);

namespace properties_detail {
// The first property `id` in [at, end), a validated block; `end` if there is none.
const uint8_t* find(const uint8_t* at, const uint8_t* end, PropertyId id);
// The byte after the property at `at`, which is valid.
const uint8_t* after(const uint8_t* at);
}  // namespace properties_detail

// A forward range over the properties with identifier `Id` of a valid block; others between them
// are passed over. `Value` says how one is read.
template <PropertyId Id, class Value>
class PropertyRange {
 public:
  class Iterator {
   public:
    using value_type = typename Value::type;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    Iterator(const uint8_t* at, const uint8_t* end) : at_(at), end_(end) {}
    value_type operator*() const { return Value::read(at_ + 1); }
    Iterator& operator++() {
      at_ = properties_detail::find(properties_detail::after(at_), end_, Id);
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }
    // Where the property begins: its identifier's byte.
    const uint8_t* address() const { return at_; }

   private:
    const uint8_t* at_ = nullptr;
    const uint8_t* end_ = nullptr;
  };

  PropertyRange() = default;
  // `block` holds whole, valid properties.
  static PropertyRange of_valid(ByteView block) {
    PropertyRange range;
    range.end_ = block.data() + block.size();
    range.begin_ = properties_detail::find(block.data(), range.end_, Id);
    return range;
  }

  Iterator begin() const { return {begin_, end_}; }
  Iterator end() const { return {end_, end_}; }
  bool empty() const { return begin_ == end_; }

 private:
  const uint8_t* begin_ = nullptr;
  const uint8_t* end_ = nullptr;
};

struct UserProperty {
  std::string_view name;
  std::string_view value;
  bool operator==(const UserProperty&) const = default;
};

namespace properties_detail {
struct ReadUserProperty {
  using type = UserProperty;
  static UserProperty read(const uint8_t* at);
};
struct ReadVarint {
  using type = uint32_t;
  static uint32_t read(const uint8_t* at);
};
}  // namespace properties_detail

// In the order that they were sent in, repeated names included.
using UserProperties =
    PropertyRange<PropertyId::kUserProperty, properties_detail::ReadUserProperty>;
using SubscriptionIdentifiers =
    PropertyRange<PropertyId::kSubscriptionIdentifier, properties_detail::ReadVarint>;

// Build a block for UserProperties::of_valid or SubscriptionIdentifiers::of_valid. Names and values
// are valid MQTT strings of at most 65,535 bytes, an identifier is 1 to kVarintMax.
void append_user_property(std::string_view name, std::string_view value, std::vector<uint8_t>& out);
void append_subscription_identifier(uint32_t id, std::vector<uint8_t>& out);

}  // namespace shoal
