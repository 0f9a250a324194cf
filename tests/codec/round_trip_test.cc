// What is canonical comes back byte for byte, however it arrives.
#include <gtest/gtest.h>

#include "node/codec/decode.h"
#include "node/codec/encode.h"
#include "tests/codec/sample_packets.h"

namespace shoal {
namespace {

std::string title_of(const SamplePacket& sample) {
  return sample.name + " (version " + std::to_string(static_cast<int>(sample.version)) + ", " +
         (sample.sender == Sender::kClient ? "client" : "server") + ") " + hex_of(sample.bytes);
}

Bytes encoded(const Decoded& decoded, ProtocolVersion version) {
  Bytes out;
  std::visit(
      [&](const auto& packet) {
        if constexpr (std::is_same_v<std::decay_t<decltype(packet)>, Malformed>) {
          ADD_FAILURE() << "malformed: " << packet.detail;
        } else {
          encode_to(out, packet, version);
        }
      },
      decoded);
  return out;
}

TEST(RoundTrip, CanonicalPacketsComeBack) {
  for (const SamplePacket& sample : sample_packets()) {
    SCOPED_TRACE(title_of(sample));
    Frame frame;
    ASSERT_EQ(next_frame(sample.bytes, kPacketSizeMax, frame), FrameStatus::kComplete);
    EXPECT_EQ(frame.size, sample.bytes.size());
    const Decoded decoded = decode_packet(frame, sample.version, sample.sender);
    EXPECT_EQ(hex_of(encoded(decoded, sample.version)), hex_of(sample.bytes));
  }
}

}  // namespace
}  // namespace shoal
