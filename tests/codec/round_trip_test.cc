// What is canonical comes back byte for byte; what is accepted at all keeps its meaning.
#include <gtest/gtest.h>

#include "shoal/random.h"
#include "tests/codec/reencode.h"
#include "tests/codec/sample_packets.h"

namespace shoal {
namespace {

std::string title_of(const SamplePacket& sample) {
  return sample.name + " (version " + std::to_string(static_cast<int>(sample.version)) + ", " +
         (sample.sender == Sender::kClient ? "client" : "server") + ") " + hex_of(sample.bytes);
}

void expect_sound(const Bytes& bytes, const SamplePacket& sample) {
  Frame frame;
  if (next_frame(bytes, kPacketSizeMax, frame) != FrameStatus::kComplete) return;
  const auto wrong = check_reencoding(frame, sample.version, sample.sender);
  ASSERT_FALSE(wrong) << *wrong << "\nof " << hex_of(bytes) << "\nfrom " << title_of(sample);
}

// Lengths, flags and lists as a sender must write them [MQTT5-2.2.2-1] [MQTT5-2.1.3-1]
// [MQTT311-2.2.2-1] [MQTT5-1.5.5-1].
TEST(RoundTrip, CanonicalPacketsComeBack) {
  for (const SamplePacket& sample : sample_packets()) {
    SCOPED_TRACE(title_of(sample));
    const Decoded decoded = decode_whole(sample.bytes, sample.version, sample.sender);
    EXPECT_EQ(hex_of(encoded(decoded, sample.version)), hex_of(sample.bytes)) << describe(decoded);
    expect_sound(sample.bytes, sample);
  }
}

// A server hands on what a publisher sent, in the order that it was sent in [MQTT5-3.3.2-18].
TEST(RoundTrip, ForwardedPublishesComeBack) {
  int published = 0;
  for (const SamplePacket& sample : sample_packets()) {
    const Decoded decoded = decode_whole(sample.bytes, sample.version, sample.sender);
    if (const auto* publish = std::get_if<Publish>(&decoded)) {
      EXPECT_EQ(hex_of(forwarded(*publish, sample.version)), hex_of(sample.bytes));
      ++published;
    }
  }
  EXPECT_GT(published, 10);
}

TEST(RoundTrip, CutAnywhere) {
  for (const SamplePacket& sample : sample_packets()) {
    const size_t header = sample.bytes.size() < 130 ? 2 : 3;
    for (size_t size = header; size < sample.bytes.size(); ++size) {
      const Bytes body(sample.bytes.begin() + static_cast<long>(header),
                       sample.bytes.begin() + static_cast<long>(size));
      expect_sound(packet_bytes(sample.bytes[0], body), sample);
    }
  }
}

TEST(RoundTrip, EveryByteEveryValue) {
  for (const SamplePacket& sample : sample_packets()) {
    for (size_t at = 0; at < sample.bytes.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        Bytes changed = sample.bytes;
        changed[at] = static_cast<uint8_t>(value);
        expect_sound(changed, sample);
      }
    }
  }
}

TEST(RoundTrip, RandomSplices) {
  Random random(5);
  const std::vector<SamplePacket>& samples = sample_packets();
  for (int round = 0; round < 50'000; ++round) {
    const SamplePacket& sample = samples[random.below(samples.size())];
    const SamplePacket& other = samples[random.below(samples.size())];
    const size_t cut = random.below(sample.bytes.size());
    const size_t from = random.below(other.bytes.size());
    const Bytes head(sample.bytes.begin() + (cut == 0 ? 0 : 1),
                     sample.bytes.begin() + static_cast<long>(cut));
    const Bytes tail(other.bytes.begin() + static_cast<long>(from), other.bytes.end());
    expect_sound(packet_bytes(sample.bytes[0], head + tail), sample);
  }
}

}  // namespace
}  // namespace shoal
