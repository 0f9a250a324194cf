// Bytes for tests: written as hex, shown as hex. A header alone, for any test program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/codec/varint.h"
#include "shoal/assert.h"
#include "shoal/types.h"

namespace shoal {

using Bytes = std::vector<uint8_t>;

constexpr ProtocolVersion k31 = ProtocolVersion::kMqtt31;
constexpr ProtocolVersion k311 = ProtocolVersion::kMqtt311;
constexpr ProtocolVersion k5 = ProtocolVersion::kMqtt5;

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  SHOAL_ASSERT(c >= 'A' && c <= 'F');
  return c - 'A' + 10;
}

// "10 0C 'MQTT' 05": two upper-case hex digits a byte, text in quotes, blanks ignored. Aborts on
// anything else, which is a slip in the test.
inline Bytes bytes(std::string_view notation) {
  Bytes out;
  for (size_t i = 0; i < notation.size();) {
    if (notation[i] == ' ') {
      ++i;
    } else if (notation[i] == '\'') {
      const size_t end = notation.find('\'', i + 1);
      SHOAL_ASSERT(end != notation.npos);
      out.insert(out.end(), notation.begin() + static_cast<long>(i) + 1,
                 notation.begin() + static_cast<long>(end));
      i = end + 1;
    } else {
      SHOAL_ASSERT(i + 1 < notation.size());
      out.push_back(static_cast<uint8_t>(hex_digit(notation[i]) << 4 | hex_digit(notation[i + 1])));
      i += 2;
    }
  }
  return out;
}

inline std::string hex_of(const Bytes& bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const uint8_t byte : bytes) {
    if (!out.empty()) out += ' ';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 0x0F];
  }
  return out;
}

// A string, or binary data, with its two-byte length before it (1.5.4, 1.5.6).
inline Bytes string_bytes(std::string_view text) {
  return Bytes{static_cast<uint8_t>(text.size() >> 8), static_cast<uint8_t>(text.size())} +
         Bytes(text.begin(), text.end());
}

// A property block: its length as a Variable Byte Integer, and `properties`.
inline Bytes block_bytes(const Bytes& properties) {
  Bytes length(varint_size(properties.size()));
  write_varint(static_cast<uint32_t>(properties.size()), length.data());
  return length + properties;
}

// A whole packet: `first_byte`, the Remaining Length, and `body`.
inline Bytes packet_bytes(uint8_t first_byte, const Bytes& body) {
  return Bytes{first_byte} + block_bytes(body);
}

}  // namespace shoal
