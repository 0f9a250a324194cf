#include "node/codec/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "shoal/random.h"
#include "tests/codec/bytes.h"

namespace shoal {
namespace {

// RFC 3629's grammar, a sequence at a time: the reference that the fast one is held against.
bool is_well_formed_by_the_book(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const uint8_t lead = byte(i);
    const size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size == 0 || lead > 0xF4 || i + size > text.size()) return false;
    uint32_t point = size == 1 ? lead : lead & (0x7F >> size);
    for (size_t k = 1; k < size; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
      point = point << 6 | (byte(i + k) & 0x3F);
    }
    const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (overlong || surrogate || point > 0x10FFFF) return false;
    i += size;
  }
  return true;
}

void expect_like_the_book(const std::string& text) {
  const bool well_formed = is_well_formed_by_the_book(text);
  const bool has_nul = text.find('\0') != text.npos;
  const auto shown = [&] { return hex_of(Bytes(text.begin(), text.end())); };
  ASSERT_EQ(is_well_formed_utf8(text), well_formed) << shown();
  ASSERT_EQ(is_mqtt_string(text), well_formed && !has_nul) << shown();
}

TEST(Utf8, Examples) {
  const struct {
    const char* bytes;
    bool string;
  } rows[] = {
      {"", true},
      {"'topic'", true},
      {"01 1F 7F", true},    // control characters: a receiver may let them pass (1.5.4)
      {"EFBBBF 'a'", true},  // [MQTT5-1.5.4-3] [MQTT311-1.5.3-3]
      {"EFBFBF", true},      // U+FFFF, a non-character: likewise
      {"C280 DFBF", true},
      {"E0A080 ED9FBF EE8080", true},
      {"F0908080 F48FBFBF", true},
      {"00", false},  // [MQTT5-1.5.4-2] [MQTT311-1.5.3-2]
      {"'a' 00 'b'", false},
      {"80", false},  // from here on [MQTT5-1.5.4-1] [MQTT311-1.5.3-1]
      {"C3", false},
      {"C328", false},
      {"C080", false},
      {"C1BF", false},
      {"E09FBF", false},
      {"EDA080", false},
      {"EDBFBF", false},
      {"F08FBFBF", false},
      {"F4908080", false},
      {"F5808080", false},
      {"FE", false},
      {"FF", false},
  };
  for (const auto& row : rows) {
    const Bytes in = bytes(row.bytes);
    const std::string text(in.begin(), in.end());
    EXPECT_EQ(is_mqtt_string(text), row.string) << row.bytes;
    expect_like_the_book(text);
  }
}

// A payload that calls itself text may hold U+0000.
TEST(Utf8, NulIsWellFormed) { EXPECT_TRUE(is_well_formed_utf8(std::string_view("a\0b", 3))); }

TEST(Utf8, EveryShortText) {
  for (uint32_t first = 0; first < 256; ++first) {
    for (uint32_t second = 0; second < 256; ++second) {
      expect_like_the_book({static_cast<char>(first), static_cast<char>(second)});
      // Three and four bytes: the continuations at the edges of what matters.
      for (const uint8_t third : {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0}) {
        const std::string three = {static_cast<char>(first), static_cast<char>(second),
                                   static_cast<char>(third)};
        expect_like_the_book(three);
        for (const uint8_t fourth : {0x41, 0x80, 0xBF, 0xC0}) {
          expect_like_the_book(three + static_cast<char>(fourth));
        }
      }
    }
  }
}

// One wrong byte anywhere in texts of every length around the steps of the fast paths.
TEST(Utf8, OneWrongByteAnywhere) {
  for (size_t size = 1; size <= 200; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (const uint8_t byte : {0x00, 0x7F, 0x80, 0xC3, 0xFF}) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(byte);
        expect_like_the_book(text);
      }
    }
  }
}

TEST(Utf8, RandomTexts) {
  Random random(20261123);
  const char* const pieces[] = {
      "a",    "/",           "\x7F", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\x9F", "\xEF\xBB\xBF",
      "\x80", "\xED\xA0\x80"};
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    // The last two, which are wrong, come seldom, so that long texts are often right.
    while (!random.one_in(40)) text += pieces[random.below(random.one_in(50) ? 9 : 7)];
    if (random.one_in(3) && !text.empty()) {
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    }
    expect_like_the_book(text);
  }
}

TEST(Utf8, AsciiWithout) {
  const auto by_hand = [](std::string_view text) {
    for (const char c : text) {
      if (c == '+' || c == '#' || c == '\0' || static_cast<uint8_t>(c) >= 0x80) return false;
    }
    return true;
  };
  for (size_t size = 0; size <= 40; ++size) {
    const std::string plain(size, 'a');
    EXPECT_TRUE((is_ascii_without<'\0', '+', '#'>(plain)));
    for (size_t at = 0; at < size; ++at) {
      for (uint32_t byte = 0; byte < 256; ++byte) {
        std::string text = plain;
        text[at] = static_cast<char>(byte);
        ASSERT_EQ((is_ascii_without<'\0', '+', '#'>(text)), by_hand(text))
            << size << " bytes, " << byte << " at " << at;
      }
    }
  }
}

}  // namespace
}  // namespace shoal
