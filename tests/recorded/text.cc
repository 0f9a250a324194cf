#include <cstdlib>

#include "tests/recorded/recording.h"

namespace shoal::recorded {

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return hex;
}

std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes += static_cast<char>(std::strtoul(std::string(hex.substr(at, 2)).c_str(), nullptr, 16));
  }
  return bytes;
}

std::string shown(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    const bool is_printable = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    text += is_printable ? std::string(1, c) : "\\x" + hex_of({&c, 1});
  }
  return text + "\"";
}

}  // namespace shoal::recorded
