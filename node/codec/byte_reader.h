// Reads the primitive types of 1.5 from a packet's bytes. The first thing that goes wrong sticks:
// from then on every read gives zero or nothing and at_end() is true, so that a decoder reads a
// packet from top to bottom and looks at the status once.
#pragma once

#include <cstdint>
#include <string_view>

#include "node/codec/decode.h"
#include "node/codec/utf8.h"
#include "node/codec/varint.h"
#include "shoal/byte_view.h"

namespace shoal {

class ByteReader {
 public:
  explicit ByteReader(ByteView in) : at_(in.data()), end_(in.data() + in.size()) {}

  bool ok() const { return status_.ok(); }
  const DecodeStatus& status() const { return status_; }
  bool at_end() const { return at_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  const uint8_t* position() const { return at_; }

  uint8_t byte() {
    if (!need(1)) return 0;
    return *at_++;
  }
  // Takes the next byte if it is this one.
  bool take(uint8_t expected) {
    if (at_end() || *at_ != expected) return false;
    ++at_;
    return true;
  }
  uint16_t two_bytes() {
    if (!need(2)) return 0;
    const uint8_t* from = at_;
    at_ += 2;
    return static_cast<uint16_t>(from[0] << 8 | from[1]);
  }
  uint32_t four_bytes() {
    const uint32_t high = two_bytes();
    return high << 16 | two_bytes();
  }
  uint32_t varint() {
    const Varint read = read_varint(at_, end_);
    if (read.status != VarintStatus::kComplete) {
      fail(ReasonCode::kMalformedPacket, "bad variable byte integer");  // [MQTT5-1.5.5-1]
      return 0;
    }
    at_ += read.size;
    return read.value;
  }
  ByteView bytes(size_t size) {
    if (!need(size)) return {};
    const uint8_t* from = at_;
    at_ += size;
    return {from, size};
  }
  ByteView binary() { return bytes(two_bytes()); }
  ByteView rest() { return bytes(left()); }
  // A string whose characters the caller checks.
  std::string_view unchecked_string() { return text_of(binary()); }
  std::string_view string() {
    const std::string_view text = unchecked_string();
    if (!is_mqtt_string(text)) fail(ReasonCode::kMalformedPacket, "bad UTF-8 string");
    return text;
  }

  // Keeps the first failure.
  [[gnu::cold]] void fail(DecodeStatus why) {
    if (status_.ok()) status_ = why;
    at_ = end_;
  }
  [[gnu::cold]] void fail(ReasonCode reason, const char* detail) { fail({reason, detail}); }
  void expect_end() {
    if (!at_end()) fail(ReasonCode::kMalformedPacket, "bytes after the end of the packet");
  }

 private:
  bool need(size_t size) {
    if (left() >= size) [[likely]]
      return true;
    fail(ReasonCode::kMalformedPacket, "packet is cut short");
    return false;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  DecodeStatus status_;
};

}  // namespace shoal
