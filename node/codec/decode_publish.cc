#include "node/codec/byte_reader.h"
#include "node/codec/decode.h"
#include "node/codec/property_reader.h"
#include "node/codec/topic_check.h"

namespace shoal {
namespace {

void read_properties(ByteReader& in, Sender sender, Publish& out) {
  PropertyReader properties(in, PacketType::kPublish);
  ByteView from_first_identifier;
  for (Property property; properties.next(property);) {
    if (take_application_property(property, out.application)) continue;
    switch (property.id) {
      case PropertyId::kTopicAlias: out.topic_alias = static_cast<uint16_t>(property.number); break;
      case PropertyId::kMessageExpiryInterval: out.message_expiry_s = property.number; break;
      default:                            // Subscription Identifier
        if (sender == Sender::kClient) {  // [MQTT5-3.3.4-6]
          return in.fail(ReasonCode::kProtocolError, "subscription identifier from a client");
        }
        if (from_first_identifier.empty()) from_first_identifier = property.raw;
        from_first_identifier = {from_first_identifier.data(),
                                 property.raw.data() + property.raw.size()};
    }
  }
  out.application.user_properties = properties.user_properties();
  if (!from_first_identifier.empty()) {
    out.subscription_identifiers = SubscriptionIdentifiers::of_valid(from_first_identifier);
  }
}

void check_topic(ByteReader& in, const Publish& publish) {
  if (publish.topic.empty()) {
    // 3.3.2.1; [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
    if (!publish.topic_alias) in.fail(ReasonCode::kProtocolError, "no topic and no topic alias");
    return;
  }
  // One pass settles nearly every topic; the long way tells what is wrong with the others
  // [MQTT5-3.3.2-1] [MQTT5-3.3.2-2] [MQTT311-3.3.2-1] [MQTT311-3.3.2-2].
  if (is_ascii_without<'\0', '+', '#'>(publish.topic)) [[likely]]
    return;
  if (const auto wrong = check_topic_name(publish.topic)) {
    in.fail(ReasonCode::kMalformedPacket, wrong->data());
  }
}

}  // namespace

DecodeStatus decode_publish(const Frame& frame, ProtocolVersion version, Sender sender,
                            Publish& out) {
  out = Publish{};
  ByteReader in(frame.body);
  const uint8_t flags = frame.flags();
  const uint8_t qos = (flags >> 1) & 0x03;
  out.dup = (flags & 0x08) != 0;
  out.retain = (flags & 0x01) != 0;
  out.qos = static_cast<Qos>(qos);
  if (qos == 3) {  // [MQTT5-3.3.1-4] [MQTT311-3.3.1-4]
    return {ReasonCode::kMalformedPacket, "QoS 3"};
  }
  if (out.dup && qos == 0) {  // [MQTT5-3.3.1-2] [MQTT311-3.3.1-2]
    return {ReasonCode::kMalformedPacket, "DUP at QoS 0"};
  }
  out.topic = in.unchecked_string();
  if (qos > 0) {
    out.packet_id = in.two_bytes();
    if (out.packet_id == 0) {  // [MQTT5-2.2.1-3] [MQTT311-2.3.1-1]
      in.fail(ReasonCode::kProtocolError, "packet identifier 0");
    }
  }
  // Most have Property Length 0.
  if (version == ProtocolVersion::kMqtt5 && !in.take(0)) read_properties(in, sender, out);
  if (in.ok()) check_topic(in, out);
  out.payload = in.rest();
  return in.status();
}

}  // namespace shoal
