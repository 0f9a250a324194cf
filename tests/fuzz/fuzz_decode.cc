// Any bytes from the wire: the decoder never reads outside them, and what it accepts the encoder
// gives back with the same meaning (tests/codec/reencode.h).
#include <cstdio>
#include <cstdlib>

#include "tests/codec/fuzz_input.h"
#include "tests/codec/reencode.h"

namespace {

using namespace shoal;

[[noreturn]] void fail(const char* rule, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\n", rule, detail.c_str());
  std::abort();
}

// However few bytes of a packet are there, its start says the same or nothing.
void check_prefixes(ByteView stream, size_t packet_size_max, const Frame& whole) {
  for (size_t size = 0; size < whole.size; size += size < 6 ? 1 : 1 + whole.size / 8) {
    Frame frame;
    // A buffer of its own, so that a read past its end is seen.
    const Bytes part(stream.begin(), stream.begin() + static_cast<long>(size));
    const FrameStatus status = next_frame(part, packet_size_max, frame);
    if (status != FrameStatus::kNeedMore) fail("a part is not a packet", hex_of(part));
    if (frame.size != 0 && frame.size != whole.size) fail("the size changed", hex_of(part));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kLimit = 1 << 20;
  const FuzzInput input = fuzz_input_of({data, size});
  Frame frame;
  for (ByteView left = input.stream; next_frame(left, kLimit, frame) == FrameStatus::kComplete;
       left = left.subspan(frame.size)) {
    check_prefixes(left, kLimit, frame);
    // Decoded from a buffer of its own for the same reason.
    const Bytes body(frame.body.begin(), frame.body.end());
    frame.body = body;
    if (const auto wrong = check_reencoding(frame, input.version, input.sender)) {
      fail("encoding does not give back", *wrong);
    }
  }
  return 0;
}
