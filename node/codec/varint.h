// Variable Byte Integers (5.0: 1.5.5).
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal {

constexpr uint32_t kVarintMax = 268'435'455;

// Bytes that `value` takes in its shortest form [MQTT5-1.5.5-1]; 5, which no packet may hold, above
// kVarintMax: so a size that is too large to encode stays recognisable after it was added up.
constexpr size_t varint_size(size_t value) {
  if (value < 128) return 1;
  if (value < 16'384) return 2;
  if (value < 2'097'152) return 3;
  return value <= kVarintMax ? 4 : 5;
}

enum class VarintStatus : uint8_t { kComplete, kNeedMore, kMalformed };

struct Varint {
  VarintStatus status = VarintStatus::kNeedMore;
  uint32_t value = 0;
  uint32_t size = 0;  // bytes taken
};

// Reads from [at, end). A fifth byte is malformed, and so is a longer form than needed: 5.0 forbids
// writing one [MQTT5-1.5.5-1], and one value with one spelling is easier to reason about.
constexpr Varint read_varint(const uint8_t* at, const uint8_t* end) {
  uint32_t value = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    if (at + i == end) return {};
    const uint8_t byte = at[i];
    value |= static_cast<uint32_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      const bool padded = byte == 0 && i > 0;
      return {padded ? VarintStatus::kMalformed : VarintStatus::kComplete, value, i + 1};
    }
  }
  return {VarintStatus::kMalformed, 0, 0};
}

constexpr uint8_t* write_varint(uint32_t value, uint8_t* out) {
  while (value >= 0x80) {
    *out++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<uint8_t>(value);
  return out;
}

}  // namespace shoal
