#include "node/codec/byte_sink.h"
#include "node/codec/encode.h"

namespace shoal {
namespace {

template <class Sink>
void put_properties(Sink& out, const Publish& p) {
  put_two_byte_property(out, PropertyId::kTopicAlias, p.topic_alias);
  put_four_byte_property(out, PropertyId::kMessageExpiryInterval, p.message_expiry_s);
  for (const uint32_t id : p.subscription_identifiers) put_subscription_identifier(out, id);
  put_application_properties(out, p.application);
}

void put_properties(ByteSink& out, const PublishHeader& p) {
  if (p.topic_alias != 0) put_two_byte_property(out, PropertyId::kTopicAlias, p.topic_alias);
  put_four_byte_property(out, PropertyId::kMessageExpiryInterval, p.message_expiry_s);
  for (const uint32_t id : p.subscription_identifiers) put_subscription_identifier(out, id);
  out.bytes(p.application_properties);
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
size_t property_block_size(const Header& p, ProtocolVersion version) {
  return is_5(version) ? properties_size(p) : 0;
}

// The Remaining Length.
template <class Header>
size_t body_size(const Header& p, ProtocolVersion version, size_t properties, size_t payload_size) {
  const size_t block = is_5(version) ? varint_size(properties) + properties : 0;
  return 2 + p.topic.size() + (p.qos == Qos::k0 ? 0 : 2) + block + payload_size;
}

}  // namespace

size_t encoded_size(const Publish& p, ProtocolVersion version) {
  const size_t body = body_size(p, version, property_block_size(p, version), p.payload.size());
  return 1 + varint_size(body) + body;
}

uint8_t* encode(const Publish& p, ProtocolVersion version, uint8_t* out) {
  const size_t properties = property_block_size(p, version);
  ByteSink sink(out);
  sink.byte(publish_first_byte(p.dup, p.qos, p.retain));
  sink.varint(body_size(p, version, properties, p.payload.size()));
  put_string(sink, p.topic);
  if (p.qos != Qos::k0) sink.two_bytes(p.packet_id);
  if (is_5(version)) {
    sink.varint(properties);
    if (properties != 0) put_properties(sink, p);
  }
  sink.bytes(p.payload);
  return sink.position();
}

size_t encoded_size(const PublishHeader& p, ProtocolVersion version) {
  const size_t body = body_size(p, version, property_block_size(p, version), p.payload_size);
  return 1 + varint_size(body) + body - p.payload_size;
}

PublishPatch encode(const PublishHeader& p, ProtocolVersion version, uint8_t* out) {
  const size_t properties = property_block_size(p, version);
  PublishPatch patch;
  ByteSink sink(out);
  sink.byte(publish_first_byte(p.dup, p.qos, p.retain));
  sink.varint(body_size(p, version, properties, p.payload_size));
  put_string(sink, p.topic);
  if (p.qos != Qos::k0) {
    patch.packet_id_offset = static_cast<size_t>(sink.position() - out);
    sink.two_bytes(p.packet_id);
  }
  if (is_5(version)) {
    sink.varint(properties);
    if (properties != 0) put_properties(sink, p);
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
