// A client's WebSocket frames: never a crash, and the same stream of bytes, answers and end however they
// are cut. The first bytes of an input say where; the rest are the frames.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "node/runtime/websocket_frames.h"

namespace {

using namespace shoal;

constexpr size_t kCuts = 4;

struct Outcome {
  std::string payload;
  std::string replies;
  bool is_closed = false;
  bool operator==(const Outcome&) const = default;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void feed(WebSocketDecoder& decoder, const uint8_t* data, size_t size, Outcome& outcome) {
  std::vector<uint8_t> bytes(data, data + size);
  const WebSocketDecoder::Decoded decoded = decoder.decode(bytes);
  require(decoded.payload <= size, "more payload than bytes");
  require(!outcome.is_closed || (decoded.payload == 0 && decoded.reply.empty()),
          "something after the close");
  outcome.payload.append(bytes.begin(), bytes.begin() + static_cast<long>(decoded.payload));
  outcome.replies += decoded.reply;
  require(!outcome.is_closed || decoded.is_closed, "open again");
  outcome.is_closed = decoded.is_closed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kCuts) return 0;
  const uint8_t* const frames = data + kCuts;
  const size_t length = size - kCuts;

  Outcome whole;
  WebSocketDecoder decoder;
  feed(decoder, frames, length, whole);

  Outcome pieces;
  WebSocketDecoder piece_by_piece;
  for (size_t at = 0, cut = 0; at < length; ++cut) {
    const size_t part = std::min<size_t>(length - at, 1 + data[cut % kCuts] % 64);
    feed(piece_by_piece, frames + at, part, pieces);
    at += part;
  }
  require(length == 0 || whole == pieces, "how the frames are cut makes a difference");
  return 0;
}
