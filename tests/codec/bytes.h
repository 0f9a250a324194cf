// Bytes for tests: written as hex, shown as hex.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shoal {

using Bytes = std::vector<uint8_t>;

// "10 0C 'MQTT' 05": two hex digits a byte, text in quotes, blanks ignored. Aborts on anything else,
// which is a slip in the test.
Bytes bytes(std::string_view notation);

std::string hex_of(const Bytes& bytes);

// A string with its two-byte length before it (1.5.4).
Bytes string_bytes(std::string_view text);

Bytes operator+(Bytes left, const Bytes& right);

// A whole packet: `first_byte`, the Remaining Length, and `body`.
Bytes packet_bytes(uint8_t first_byte, const Bytes& body);

// A property block: its length as a Variable Byte Integer, and `properties`.
Bytes block_bytes(const Bytes& properties);

}  // namespace shoal
