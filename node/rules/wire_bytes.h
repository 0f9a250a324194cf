// Integers and strings of the formats between our own nodes: little-endian, or "varint", 7 bits a
// byte with the lowest first, in the shortest form only. (MQTT's own are in the codec.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace shoal {

constexpr size_t kWireVarintSizeMax = 10;

// Writes to memory that is large enough; each gives the place behind what it wrote.
template <class Integer>
uint8_t* put_fixed(Integer value, uint8_t* out) {
  static_assert(std::is_unsigned_v<Integer>);
  for (size_t i = 0; i < sizeof value; ++i) out[i] = static_cast<uint8_t>(value >> (8 * i));
  return out + sizeof value;
}

inline uint8_t* put_varint(uint64_t value, uint8_t* out) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<uint8_t>(value | 0x80);
  *out++ = static_cast<uint8_t>(value);
  return out;
}

// Reads from bytes that may be hostile. After the first failure every read gives zero or nothing;
// look at ok() once at the end.
class WireSource {
 public:
  explicit WireSource(std::span<const uint8_t> bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  template <class Integer>
  Integer fixed() {
    static_assert(std::is_unsigned_v<Integer>);
    const std::span<const uint8_t> from = bytes(sizeof(Integer));
    Integer value = 0;
    for (size_t i = 0; i < from.size(); ++i)
      value |= static_cast<Integer>(Integer{from[i]} << (8 * i));
    return value;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const uint8_t byte = *at_++;
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte >= 0x80) continue;
      const bool padded = byte == 0 && shift != 0;
      const bool overflows = shift == 63 && byte > 1;
      if (padded || overflows) break;
      return value;
    }
    fail();
    return 0;
  }

  std::span<const uint8_t> bytes(uint64_t size) {
    if (size > left()) {
      fail();
      return {};
    }
    const uint8_t* const from = at_;
    at_ += size;
    return {from, static_cast<size_t>(size)};
  }
  // Of a size that stands before it.
  std::span<const uint8_t> sized_bytes() { return bytes(varint()); }
  std::string_view sized_text() {
    const std::span<const uint8_t> text = sized_bytes();
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  [[gnu::cold]] void fail() {
    ok_ = false;
    at_ = end_;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
};

}  // namespace shoal
