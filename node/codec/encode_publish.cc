#include "node/codec/byte_sink.h"
#include "node/codec/encode.h"

namespace shoal {
namespace {

bool is_5(ProtocolVersion version) { return version == ProtocolVersion::kMqtt5; }

// The fixed parts of both descriptions of a PUBLISH.
size_t topic_and_id_size(size_t topic_size, Qos qos) {
  return 2 + topic_size + (qos == Qos::k0 ? 0 : 2);
}

template <class Sink>
void put_properties(Sink& out, const Publish& p) {
  put_two_byte_property(out, PropertyId::kTopicAlias, p.topic_alias);
  put_four_byte_property(out, PropertyId::kMessageExpiryInterval, p.message_expiry_s);
  for (const uint32_t id : p.subscription_identifiers) put_subscription_identifier(out, id);
  put_application_properties(out, p.application);
}

size_t properties_size(const Publish& p) {
  SizeSink size;
  put_properties(size, p);
  return size.size();
}

size_t properties_size(const PublishHeader& p) {
  size_t size = p.application_properties.size();
  if (p.topic_alias != 0) size += 3;
  if (p.message_expiry_s) size += 5;
  for (const uint32_t id : p.subscription_identifiers) size += 1 + varint_size(id);
  return size;
}

template <class Header>
size_t body_size(const Header& p, ProtocolVersion version, size_t payload_size) {
  size_t size = topic_and_id_size(p.topic.size(), p.qos) + payload_size;
  if (is_5(version)) {
    const size_t properties = properties_size(p);
    size += varint_size(properties) + properties;
  }
  return size;
}

}  // namespace

size_t encoded_size(const Publish& packet, ProtocolVersion version) {
  const size_t body = body_size(packet, version, packet.payload.size());
  return 1 + varint_size(body) + body;
}

uint8_t* encode(const Publish& p, ProtocolVersion version, uint8_t* out) {
  ByteSink sink(out);
  sink.byte(publish_first_byte(p.dup, p.qos, p.retain));
  sink.varint(body_size(p, version, p.payload.size()));
  put_string(sink, p.topic);
  if (p.qos != Qos::k0) sink.two_bytes(p.packet_id);
  if (is_5(version)) {
    sink.varint(properties_size(p));
    put_properties(sink, p);
  }
  sink.bytes(p.payload);
  return sink.position();
}

size_t encoded_size(const PublishHeader& header, ProtocolVersion version) {
  const size_t body = body_size(header, version, header.payload_size);
  return 1 + varint_size(body) + body - header.payload_size;
}

PublishPatch encode(const PublishHeader& p, ProtocolVersion version, uint8_t* out) {
  PublishPatch patch;
  ByteSink sink(out);
  sink.byte(publish_first_byte(p.dup, p.qos, p.retain));
  sink.varint(body_size(p, version, p.payload_size));
  put_string(sink, p.topic);
  if (p.qos != Qos::k0) {
    patch.packet_id_offset = static_cast<size_t>(sink.position() - out);
    sink.two_bytes(p.packet_id);
  }
  if (is_5(version)) {
    sink.varint(properties_size(p));
    if (p.topic_alias != 0) put_two_byte_property(sink, PropertyId::kTopicAlias, p.topic_alias);
    put_four_byte_property(sink, PropertyId::kMessageExpiryInterval, p.message_expiry_s);
    for (const uint32_t id : p.subscription_identifiers) put_subscription_identifier(sink, id);
    sink.bytes(p.application_properties);
  }
  patch.size = static_cast<size_t>(sink.position() - out);
  return patch;
}

uint8_t* copy_application_properties(const ApplicationProperties& from, uint8_t* out) {
  ByteSink sink(out);
  if (from.is_contiguous()) {
    sink.bytes(from.window);
    return sink.position();
  }
  const uint8_t* const end = from.window.data() + from.window.size();
  for (const uint8_t* at = from.window.data(); at != end;) {
    const uint8_t* const next = properties_detail::after(at);
    if (is_forwarded(static_cast<PropertyId>(*at))) sink.bytes({at, next});
    at = next;
  }
  return sink.position();
}

}  // namespace shoal
