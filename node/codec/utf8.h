// What may stand in an MQTT string (5.0: 1.5.4).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace shoal {

// Well-formed UTF-8 as of RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF
// [MQTT5-1.5.4-1] [MQTT311-1.5.3-1]. U+0000 is allowed: this is the rule for a payload that
// declares itself text (5.0: 3.3.2.3.2).
bool is_well_formed_utf8(std::string_view text);

// The same without U+0000 [MQTT5-1.5.4-2] [MQTT311-1.5.3-2]: the rule for every string in a packet.
// The control characters and non-characters that a sender should not use are let through: refusing
// them is a receiver's choice, and would cut off clients that others serve. A byte order mark is
// a character like any other [MQTT5-1.5.4-3] [MQTT311-1.5.3-3].
bool is_mqtt_string(std::string_view text);

namespace utf8_detail {

constexpr uint64_t repeat(uint8_t byte) { return 0x0101010101010101ull * byte; }

// The text's last up to eight bytes in one word. Bytes may come twice, which does not matter to a
// question about each byte; a text of less than eight is filled up with what `filler` holds.
inline uint64_t last_word(const char* text, size_t size, uint8_t filler) {
  uint64_t word = repeat(filler);
  if (size >= 8) {
    std::memcpy(&word, text + size - 8, 8);
  } else if (size >= 4) {
    uint32_t low, high;
    std::memcpy(&low, text, 4);
    std::memcpy(&high, text + size - 4, 4);
    word = low | static_cast<uint64_t>(high) << 32;
  } else if (size > 0) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(text);
    word = (word & ~uint64_t{0xFFFFFF}) | bytes[0] | static_cast<uint64_t>(bytes[size / 2]) << 8 |
           static_cast<uint64_t>(bytes[size - 1]) << 16;
  }
  return word;
}

}  // namespace utf8_detail

// True when `text` is ASCII without any of the `Excluded` characters. Eight bytes a step: for a
// byte below 0x80, adding 0x7F sets its top bit exactly when it is not zero, without a carry into
// its neighbour. A byte from 0x80 on may carry, but it has failed the test already.
template <char... Excluded>
bool is_ascii_without(std::string_view text) {
  using utf8_detail::repeat;
  constexpr uint64_t kTop = repeat(0x80), kFill = repeat(0x7F);
  const auto passes = [](uint64_t word) {
    const uint64_t top = (~word & ... & ((word ^ repeat(static_cast<uint8_t>(Excluded))) + kFill));
    return (top & kTop) == kTop;
  };
  const char* at = text.data();
  size_t left = text.size();
  for (; left > 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    if (!passes(word)) return false;
  }
  // The last word overlaps the one before when the size is no multiple of eight.
  if (text.size() >= 8) return passes(utf8_detail::last_word(text.data(), text.size(), 'a'));
  return passes(utf8_detail::last_word(at, left, 'a'));
}

}  // namespace shoal
