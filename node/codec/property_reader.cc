#include "node/codec/property_reader.h"

#include "node/codec/topic_check.h"

namespace shoal {

PropertyReader::PropertyReader(ByteReader& in, PacketType where)
    : packet_(in), block_(in.bytes(in.varint())), in_(block_), where_(where) {}

bool PropertyReader::next(Property& out) {
  if (in_.at_end()) return false;
  const uint8_t* const begin = in_.position();
  // An identifier is a Variable Byte Integer, but all that exist take one byte: what is longer is
  // unknown by its first.
  out.id = static_cast<PropertyId>(in_.byte());
  const PropertyType type = type_of(out.id);
  check_allowed(out.id, type);
  read_value(type, out);
  if (in_.ok()) check_once(out.id);
  if (in_.ok()) check_value(out);
  if (!in_.ok()) {
    packet_.fail(in_.status());
    return false;
  }
  out.raw = {begin, in_.position()};
  if (out.id == PropertyId::kUserProperty && !first_user_property_) first_user_property_ = begin;
  return true;
}

UserProperties PropertyReader::user_properties() const {
  if (!first_user_property_) return {};
  return UserProperties::of_valid({first_user_property_, block_.data() + block_.size()});
}

// 2.2.2.2: "not valid for its packet type" is a Malformed Packet.
void PropertyReader::check_allowed(PropertyId id, PropertyType type) {
  if (type == PropertyType::kNone) {
    in_.fail(ReasonCode::kMalformedPacket, "unknown property");
  } else if (!is_property_of(id, where_)) {
    in_.fail(ReasonCode::kMalformedPacket, "property does not belong in this packet");
  }
}

void PropertyReader::read_value(PropertyType type, Property& out) {
  switch (type) {
    case PropertyType::kByte: out.number = in_.byte(); break;
    case PropertyType::kTwoByteInteger: out.number = in_.two_bytes(); break;
    case PropertyType::kFourByteInteger: out.number = in_.four_bytes(); break;
    case PropertyType::kVarint: out.number = in_.varint(); break;
    case PropertyType::kBinary: out.bytes = in_.binary(); break;
    case PropertyType::kString:  // of a PUBLISH [MQTT5-3.3.2-13] [MQTT5-3.3.2-19]
      out.text = in_.string();
      break;
    case PropertyType::kStringPair:  // [MQTT5-1.5.7-1]
      out.text = in_.string();
      out.bytes = bytes_of(in_.string());
      break;
    case PropertyType::kNone: break;
  }
}

// "It is a Protocol Error to include it more than once", says every property but two.
void PropertyReader::check_once(PropertyId id) {
  const uint64_t bit = uint64_t{1} << static_cast<int>(id);
  const bool may_repeat =
      id == PropertyId::kUserProperty ||
      (id == PropertyId::kSubscriptionIdentifier && where_ == PacketType::kPublish);
  if ((seen_ & bit) != 0 && !may_repeat) in_.fail(ReasonCode::kProtocolError, "property twice");
  seen_ |= bit;
}

void PropertyReader::check_value(const Property& property) {
  switch (property.id) {
    case PropertyId::kPayloadFormatIndicator:
    case PropertyId::kRequestProblemInformation:
    case PropertyId::kRequestResponseInformation:
    case PropertyId::kMaximumQos:
    case PropertyId::kRetainAvailable:
    case PropertyId::kWildcardSubscriptionAvailable:
    case PropertyId::kSubscriptionIdentifierAvailable:
    case PropertyId::kSharedSubscriptionAvailable:
      if (property.number > 1) in_.fail(ReasonCode::kProtocolError, "property is neither 0 nor 1");
      break;
    case PropertyId::kReceiveMaximum:          // 3.1.2.11.3
    case PropertyId::kMaximumPacketSize:       // 3.1.2.11.4
    case PropertyId::kSubscriptionIdentifier:  // 3.8.2.1.2
      if (property.number == 0) in_.fail(ReasonCode::kProtocolError, "property must not be 0");
      break;
    case PropertyId::kTopicAlias:  // [MQTT5-3.3.2-8]
      if (property.number == 0) in_.fail(ReasonCode::kTopicAliasInvalid, "topic alias 0");
      break;
    case PropertyId::kResponseTopic:  // [MQTT5-3.3.2-14]
      if (check_topic_name(property.text)) {
        in_.fail(ReasonCode::kMalformedPacket, "response topic is no topic name");
      }
      break;
    default: break;
  }
}

namespace {

// Grows the window over what a server forwards.
void extend(ApplicationProperties& application, ByteView raw) {
  const uint8_t* const begin = application.size == 0 ? raw.data() : application.window.data();
  application.window = {begin, raw.data() + raw.size()};
  application.size += static_cast<uint32_t>(raw.size());
}

}  // namespace

bool take_application_property(const Property& property, ApplicationProperties& out) {
  switch (property.id) {
    case PropertyId::kPayloadFormatIndicator:
      out.payload_format = static_cast<uint8_t>(property.number);
      break;
    case PropertyId::kContentType: out.content_type = property.text; break;
    case PropertyId::kResponseTopic: out.response_topic = property.text; break;
    case PropertyId::kCorrelationData: out.correlation_data = property.bytes; break;
    case PropertyId::kUserProperty: break;  // a range, set when all are read
    default: return false;
  }
  extend(out, property.raw);
  return true;
}

void read_explanation(ByteReader& in, PacketType where,
                      std::optional<std::string_view>& reason_string,
                      UserProperties& user_properties) {
  PropertyReader properties(in, where);
  for (Property property; properties.next(property);) {
    if (property.id == PropertyId::kReasonString) reason_string = property.text;
  }
  user_properties = properties.user_properties();
}

}  // namespace shoal
