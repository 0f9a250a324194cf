#include "tests/codec/bytes.h"

#include "node/codec/varint.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  SHOAL_ASSERT(c >= 'a' && c <= 'f');
  return c - 'a' + 10;
}

Bytes with_length(const Bytes& bytes) {
  Bytes out(varint_size(bytes.size()));
  write_varint(static_cast<uint32_t>(bytes.size()), out.data());
  return out + bytes;
}

}  // namespace

Bytes bytes(std::string_view notation) {
  Bytes out;
  for (size_t i = 0; i < notation.size();) {
    if (notation[i] == ' ') {
      ++i;
    } else if (notation[i] == '\'') {
      const size_t end = notation.find('\'', i + 1);
      SHOAL_ASSERT(end != notation.npos);
      out.insert(out.end(), notation.begin() + i + 1, notation.begin() + end);
      i = end + 1;
    } else {
      SHOAL_ASSERT(i + 1 < notation.size());
      out.push_back(static_cast<uint8_t>(hex_digit(notation[i]) << 4 | hex_digit(notation[i + 1])));
      i += 2;
    }
  }
  return out;
}

std::string hex_of(const Bytes& bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const uint8_t byte : bytes) {
    if (!out.empty()) out += ' ';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 0x0F];
  }
  return out;
}

Bytes string_bytes(std::string_view text) {
  Bytes out = {static_cast<uint8_t>(text.size() >> 8), static_cast<uint8_t>(text.size())};
  out.insert(out.end(), text.begin(), text.end());
  return out;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes packet_bytes(uint8_t first_byte, const Bytes& body) {
  return Bytes{first_byte} + with_length(body);
}

Bytes block_bytes(const Bytes& properties) { return with_length(properties); }

}  // namespace shoal
