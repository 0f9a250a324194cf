// Where an encoder's bytes go. SizeSink counts what ByteSink writes: a packet is described once, in
// a function over either, so that its size and its bytes cannot differ.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "node/codec/packet.h"
#include "node/codec/properties.h"
#include "node/codec/varint.h"
#include "shoal/assert.h"
#include "shoal/byte_view.h"

namespace shoal {

inline bool is_5(ProtocolVersion version) { return version == ProtocolVersion::kMqtt5; }

// Writes to memory that the caller reserved.
class ByteSink {
 public:
  explicit ByteSink(uint8_t* out) : at_(out) {}

  uint8_t* position() const { return at_; }
  void byte(uint8_t value) { *at_++ = value; }
  void two_bytes(uint16_t value) {
    byte(static_cast<uint8_t>(value >> 8));
    byte(static_cast<uint8_t>(value));
  }
  void four_bytes(uint32_t value) {
    two_bytes(static_cast<uint16_t>(value >> 16));
    two_bytes(static_cast<uint16_t>(value));
  }
  void varint(size_t value) {
    SHOAL_ASSERT(value <= kVarintMax);
    at_ = write_varint(static_cast<uint32_t>(value), at_);
  }
  void bytes(ByteView data) {
    if (!data.empty()) std::memcpy(at_, data.data(), data.size());
    at_ += data.size();
  }
  void binary(ByteView data) {
    SHOAL_ASSERT(data.size() <= 0xFFFF);
    two_bytes(static_cast<uint16_t>(data.size()));
    bytes(data);
  }

 private:
  uint8_t* at_;
};

class SizeSink {
 public:
  size_t size() const { return size_; }
  void byte(uint8_t) { size_ += 1; }
  void two_bytes(uint16_t) { size_ += 2; }
  void four_bytes(uint32_t) { size_ += 4; }
  void varint(size_t value) { size_ += varint_size(value); }
  void bytes(ByteView data) { size_ += data.size(); }
  void binary(ByteView data) { size_ += 2 + data.size(); }

 private:
  size_t size_ = 0;
};

// ---- on either sink -----------------------------------------------------------------------------

template <class Sink>
void put_string(Sink& out, std::string_view text) {
  out.binary(bytes_of(text));
}

template <class Sink>
void put_id(Sink& out, PropertyId id) {
  out.byte(static_cast<uint8_t>(id));
}

template <class Sink>
void put_byte_property(Sink& out, PropertyId id, std::optional<uint8_t> value) {
  if (!value) return;
  put_id(out, id);
  out.byte(*value);
}

template <class Sink>
void put_two_byte_property(Sink& out, PropertyId id, std::optional<uint16_t> value) {
  if (!value) return;
  put_id(out, id);
  out.two_bytes(*value);
}

template <class Sink>
void put_four_byte_property(Sink& out, PropertyId id, std::optional<uint32_t> value) {
  if (!value) return;
  put_id(out, id);
  out.four_bytes(*value);
}

template <class Sink>
void put_binary_property(Sink& out, PropertyId id, std::optional<ByteView> value) {
  if (!value) return;
  put_id(out, id);
  out.binary(*value);
}

template <class Sink>
void put_string_property(Sink& out, PropertyId id, std::optional<std::string_view> value) {
  if (!value) return;
  put_id(out, id);
  put_string(out, *value);
}

template <class Sink>
void put_user_property(Sink& out, std::string_view name, std::string_view value) {
  put_id(out, PropertyId::kUserProperty);
  put_string(out, name);
  put_string(out, value);
}

template <class Sink>
void put_subscription_identifier(Sink& out, uint32_t id) {
  put_id(out, PropertyId::kSubscriptionIdentifier);
  out.varint(id);
}

template <class Sink>
void put_user_properties(Sink& out, const UserProperties& properties) {
  for (const UserProperty property : properties) {
    put_user_property(out, property.name, property.value);
  }
}

template <class Sink>
void put_application_properties(Sink& out, const ApplicationProperties& p) {
  put_byte_property(out, PropertyId::kPayloadFormatIndicator, p.payload_format);
  put_string_property(out, PropertyId::kContentType, p.content_type);
  put_string_property(out, PropertyId::kResponseTopic, p.response_topic);
  put_binary_property(out, PropertyId::kCorrelationData, p.correlation_data);
  put_user_properties(out, p.user_properties);
}

}  // namespace shoal
