#include "node/runtime/websocket_frames.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shoal/random.h"

namespace shoal {
namespace {

using std::string_literals::operator""s;

constexpr char kMask[] = {'\x12', '\x34', '\x56', '\x78'};

// A client's frame: masked.
std::string masked_frame(int first_byte, const std::string& payload) {
  std::string bytes(1, static_cast<char>(first_byte));
  if (payload.size() < 126) {
    bytes += static_cast<char>(0x80 | payload.size());
  } else {
    const int size_bytes = payload.size() < 65536 ? 2 : 8;
    bytes += static_cast<char>(0x80 | (size_bytes == 2 ? 126 : 127));
    for (int i = size_bytes - 1; i >= 0; --i) bytes += static_cast<char>(payload.size() >> (8 * i));
  }
  bytes.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) {
    bytes += static_cast<char>(payload[i] ^ kMask[i % 4]);
  }
  return bytes;
}

struct Outcome {
  std::string payload;
  std::string reply;
  bool is_closed = false;
  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << "payload " << outcome.payload.size() << " bytes, reply "
       << testing::PrintToString(outcome.reply) << (outcome.is_closed ? ", closed" : "");
}

// Feeds `bytes` in parts of at most `part` bytes.
Outcome decode(const std::string& bytes, size_t part) {
  WebSocketDecoder decoder;
  Outcome outcome;
  for (size_t at = 0; at < bytes.size() && !outcome.is_closed; at += part) {
    std::vector<uint8_t> piece(
        bytes.begin() + static_cast<ptrdiff_t>(at),
        bytes.begin() + static_cast<ptrdiff_t>(std::min(at + part, bytes.size())));
    const auto decoded = decoder.decode(piece);
    outcome.payload.append(piece.begin(), piece.begin() + static_cast<ptrdiff_t>(decoded.payload));
    outcome.reply += decoded.reply;
    outcome.is_closed = decoded.is_closed;
  }
  return outcome;
}

constexpr int kFin = 0x80, kContinue = 0, kText = 1, kBinary = 2, kClose = 8, kOpPing = 9,
              kOpPong = 10;
const std::string kProtocolError = "\x88\x02\x03\xEA"s;
const std::string kUnsupported = "\x88\x02\x03\xEB"s;

TEST(WebSocketDecoder, Frames) {
  const std::string big(70'000, 'b');
  const std::string medium(300, 'm');
  std::string unmasked = masked_frame(kFin | kBinary, "x");
  unmasked[1] = 1;
  std::string huge = masked_frame(kFin | kBinary, big);
  huge[2] = '\x80';
  const struct {
    const char* what;
    std::string bytes;
    Outcome expected;
  } cases[] = {
      {"one", masked_frame(kFin | kBinary, "mqtt"), {"mqtt", "", false}},
      {"empty", masked_frame(kFin | kBinary, ""), {"", "", false}},
      {"two coalesced",
       masked_frame(kFin | kBinary, "ab") + masked_frame(kFin | kBinary, "cd"),
       {"abcd", "", false}},
      {"16 bits of length", masked_frame(kFin | kBinary, medium), {medium, "", false}},
      {"64 bits of length", masked_frame(kFin | kBinary, big), {big, "", false}},
      {"fragments",
       masked_frame(kBinary, "a") + masked_frame(kContinue, "b") +
           masked_frame(kFin | kContinue, "c"),
       {"abc", "", false}},
      {"a ping between fragments",
       masked_frame(kBinary, "a") + masked_frame(kFin | kOpPing, "hi") +
           masked_frame(kFin | kContinue, "b"),
       {"ab", "\x8A\x02hi", false}},
      {"an empty ping", masked_frame(kFin | kOpPing, ""), {"", "\x8A\0"s, false}},
      {"the longest ping",
       masked_frame(kFin | kOpPing, std::string(125, 'p')),
       {"", "\x8A\x7D" + std::string(125, 'p'), false}},
      {"a pong nobody asked for", masked_frame(kFin | kOpPong, "x"), {"", "", false}},
      {"close", masked_frame(kFin | kClose, ""), {"", "\x88\0"s, true}},
      {"close with a code",
       masked_frame(kFin | kClose,
                    "\x03\xE9"
                    "bye"),
       {"", "\x88\x02\x03\xE9", true}},
      {"nothing counts after close",
       masked_frame(kFin | kClose, "") + masked_frame(kFin | kBinary, "late"),
       {"", "\x88\0"s, true}},
      {"close with half a code", masked_frame(kFin | kClose, "\x03"), {"", kProtocolError, true}},
      {"close with a reserved code",
       masked_frame(kFin | kClose, "\x03\xED"),
       {"", kProtocolError, true}},
      // [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
      {"text", masked_frame(kFin | kText, "mqtt"), {"", kUnsupported, true}},
      {"not masked", unmasked, {"", kProtocolError, true}},
      {"a reserved bit", masked_frame(kFin | 0x40 | kBinary, "x"), {"", kProtocolError, true}},
      {"a reserved opcode", masked_frame(kFin | 3, "x"), {"", kProtocolError, true}},
      {"a reserved control opcode", masked_frame(kFin | 11, "x"), {"", kProtocolError, true}},
      {"a continuation of nothing",
       masked_frame(kFin | kContinue, "x"),
       {"", kProtocolError, true}},
      {"a message within one",
       masked_frame(kBinary, "a") + masked_frame(kFin | kBinary, "b"),
       {"a", kProtocolError, true}},
      {"a ping in fragments", masked_frame(kOpPing, "x"), {"", kProtocolError, true}},
      {"a ping too long",
       masked_frame(kFin | kOpPing, std::string(126, 'p')),
       {"", kProtocolError, true}},
      {"a length beyond 63 bits", huge, {"", kProtocolError, true}},
  };
  for (const auto& row : cases) {
    for (const size_t part : {size_t{1}, size_t{3}, size_t{64}, row.bytes.size()}) {
      EXPECT_EQ(decode(row.bytes, part), row.expected) << row.what << ", parts of " << part;
    }
  }
}

// [MQTT5-6.0.0-2] [MQTT311-6.0.0-2]
TEST(WebSocketDecoder, RandomFramesGiveTheirPayloadHoweverTheyAreCut) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    std::string expected;
    for (uint64_t frames = 1 + random.below(8); frames > 0; --frames) {
      std::string payload(random.below(random.one_in(4) ? 70'000 : 200), '\0');
      for (char& c : payload) c = static_cast<char>(random.next());
      bytes += masked_frame(kFin | kBinary, payload);
      expected += payload;
    }
    EXPECT_EQ(decode(bytes, 1 + random.below(4'000)), (Outcome{expected, "", false}));
  }
}

TEST(WebSocketEncoder, HeadersHaveTheShortestLength) {
  const struct {
    uint64_t payload;
    std::string header;
  } cases[] = {
      {0, "\x82\0"s},
      {125, "\x82\x7D"},
      {126, "\x82\x7E\0\x7E"s},
      {65'535, "\x82\x7E\xFF\xFF"},
      {65'536, "\x82\x7F\0\0\0\0\0\1\0\0"s},
  };
  for (const auto& row : cases) {
    std::array<uint8_t, 10> header{};
    const size_t size = encode_binary_header(row.payload, header);
    EXPECT_EQ(std::string(header.begin(), header.begin() + static_cast<ptrdiff_t>(size)),
              row.header);
  }
  EXPECT_EQ(encode_close(WebSocketClose::kNormal), "\x88\x02\x03\xE8");
}

}  // namespace
}  // namespace shoal
