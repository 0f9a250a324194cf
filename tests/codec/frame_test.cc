#include "node/codec/frame.h"

#include <gtest/gtest.h>

#include "tests/codec/sample_packets.h"
#include "tests/codec/unfinished_packets.h"

namespace shoal {
namespace {

TEST(Varint, ShortestForm) {  // [MQTT5-1.5.5-1]
  const struct {
    uint32_t value;
    const char* bytes;
  } rows[] = {
      {0, "00"},
      {1, "01"},
      {127, "7F"},
      {128, "8001"},
      {16'383, "FF7F"},
      {16'384, "808001"},
      {2'097'151, "FFFF7F"},
      {2'097'152, "80808001"},
      {kVarintMax, "FFFFFF7F"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.value);
    const Bytes expected = bytes(row.bytes);
    EXPECT_EQ(varint_size(row.value), expected.size());
    Bytes written(4);
    written.resize(static_cast<size_t>(write_varint(row.value, written.data()) - written.data()));
    EXPECT_EQ(hex_of(written), hex_of(expected));
    const Varint read = read_varint(expected.data(), expected.data() + expected.size());
    EXPECT_EQ(read.status, VarintStatus::kComplete);
    EXPECT_EQ(read.value, row.value);
    EXPECT_EQ(read.size, expected.size());
    for (size_t size = 0; size < expected.size(); ++size) {
      EXPECT_EQ(read_varint(expected.data(), expected.data() + size).status,
                VarintStatus::kNeedMore);
    }
  }
  EXPECT_EQ(varint_size(size_t{kVarintMax} + 1), 5u);
}

TEST(Varint, OtherFormsAreMalformed) {  // [MQTT5-1.5.5-1]
  for (const char* notation : {"8000", "FF00", "808000", "80808000", "FFFFFFFF", "8080808001"}) {
    SCOPED_TRACE(notation);
    const Bytes in = bytes(notation);
    EXPECT_EQ(read_varint(in.data(), in.data() + in.size()).status, VarintStatus::kMalformed);
  }
}

// A byte at a time: nothing is known until the fixed header is there, then the size, then the
// packet.
TEST(Frame, AByteAtATime) {
  for (const SamplePacket& sample : sample_packets()) {
    SCOPED_TRACE(sample.name + " " + hex_of(sample.bytes));
    const size_t header = sample.bytes.size() < 130 ? 2 : 3;
    for (size_t size = 0; size < sample.bytes.size(); ++size) {
      Frame frame;
      const ByteView in(sample.bytes.data(), size);
      ASSERT_EQ(next_frame(in, kPacketSizeMax, frame), FrameStatus::kNeedMore);
      EXPECT_EQ(frame.size, size < header ? 0 : sample.bytes.size());
      EXPECT_EQ(frame.first_byte, size == 0 ? 0 : sample.bytes[0]);
    }
  }
}

TEST(Frame, Unfinished) {
  for (const UnfinishedCase& row : unfinished_packets()) {
    Frame frame;
    EXPECT_EQ(next_frame(row.bytes, kPacketSizeMax, frame), FrameStatus::kNeedMore) << row.name;
    EXPECT_TRUE(frame.size == 0 || frame.size > row.bytes.size()) << row.name;
  }
}

// Many packets in one read, and the first part of another.
TEST(Frame, ManyInOneRead) {
  Bytes stream;
  for (const SamplePacket& sample : sample_packets()) stream = std::move(stream) + sample.bytes;
  stream = std::move(stream) + bytes("30 7F 00");
  ByteView left = stream;
  for (const SamplePacket& sample : sample_packets()) {
    Frame frame;
    ASSERT_EQ(next_frame(left, kPacketSizeMax, frame), FrameStatus::kComplete) << sample.name;
    EXPECT_EQ(hex_of({left.begin(), left.begin() + static_cast<long>(frame.size)}),
              hex_of(sample.bytes));
    EXPECT_EQ(frame.body.data() + frame.body.size(), left.data() + frame.size);
    left = left.subspan(frame.size);
  }
  Frame frame;
  EXPECT_EQ(next_frame(left, kPacketSizeMax, frame), FrameStatus::kNeedMore);
  EXPECT_EQ(frame.size, 129u);
}

TEST(Frame, TypeAndFlags) {
  Frame frame;
  const Bytes in = bytes("3D 00");
  ASSERT_EQ(next_frame(in, kPacketSizeMax, frame), FrameStatus::kComplete);
  EXPECT_EQ(frame.type(), PacketType::kPublish);
  EXPECT_EQ(frame.flags(), 0x0D);
  EXPECT_TRUE(frame.body.empty());
}

// The limit speaks as soon as the fixed header is there, before any of the body [MQTT5-3.2.2-15].
TEST(Frame, LimitsAreSeenBeforeTheBody) {
  const struct {
    const char* bytes;
    size_t limit;
    FrameStatus status;
    size_t size;
  } rows[] = {
      {"30 7E", 128, FrameStatus::kNeedMore, 128},
      {"30 7E", 127, FrameStatus::kTooLarge, 128},
      {"30 7F", 128, FrameStatus::kTooLarge, 129},
      {"30 8001", 131, FrameStatus::kNeedMore, 131},
      {"30 8001", 130, FrameStatus::kTooLarge, 131},
      {"30 80", 1, FrameStatus::kNeedMore, 0},
      {"30 FFFFFF7F", kPacketSizeMax, FrameStatus::kNeedMore, kPacketSizeMax},
      {"30 FFFFFF7F", kPacketSizeMax - 1, FrameStatus::kTooLarge, kPacketSizeMax},
      {"C0 00", 1, FrameStatus::kTooLarge, 2},
      {"30 FFFFFFFF", kPacketSizeMax, FrameStatus::kMalformed, 0},
      {"30 8000", kPacketSizeMax, FrameStatus::kMalformed, 0},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(std::string(row.bytes) + " limit " + std::to_string(row.limit));
    Frame frame;
    EXPECT_EQ(next_frame(bytes(row.bytes), row.limit, frame), row.status);
    EXPECT_EQ(frame.size, row.size);
  }
}

}  // namespace
}  // namespace shoal
