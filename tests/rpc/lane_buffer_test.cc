#include "cluster/rpc/lane_buffer.h"

#include <gtest/gtest.h>

#include <vector>

#include "cluster/rpc/frames.h"

namespace shoal {
namespace {

constexpr Duration kSpacing{300'000};
constexpr Instant kStart{5'000'000'000};

constexpr Instant at_us(int64_t us) { return kStart + Duration{us * 1000}; }

struct TestLane {
  LaneBuffer buffer{kSpacing};
  std::string batch;

  void append(size_t size, Instant now) { buffer.append(std::vector<uint8_t>(size), now); }
  size_t take(Instant now) {
    buffer.take(batch, now);
    return batch.size();
  }
};

TEST(LaneBuffer, AnIdleLaneWritesAtOnce) {
  TestLane lane;
  EXPECT_EQ(lane.buffer.due(), Instant::never());
  lane.append(10, at_us(0));
  EXPECT_EQ(lane.buffer.due(), at_us(0));
  EXPECT_EQ(lane.take(at_us(0)), 14u);
  EXPECT_EQ(lane.buffer.due(), Instant::never());
  lane.append(10, at_us(300));
  EXPECT_EQ(lane.buffer.due(), at_us(300));
}

TEST(LaneBuffer, SoonAfterAWriteFramesGather) {
  TestLane lane;
  lane.append(10, at_us(0));
  lane.take(at_us(0));
  lane.append(10, at_us(100));
  lane.append(10, at_us(250));
  EXPECT_EQ(lane.buffer.due(), at_us(300));
  EXPECT_EQ(lane.take(at_us(310)), 28u);
  lane.append(10, at_us(320));
  EXPECT_EQ(lane.buffer.due(), at_us(610));
}

TEST(LaneBuffer, EnoughBytesEndTheWait) {
  TestLane lane;
  lane.append(10, at_us(0));
  lane.take(at_us(0));
  lane.append(LaneBuffer::kCutBytes - 5, at_us(10));
  EXPECT_EQ(lane.buffer.due(), at_us(300));
  lane.append(1, at_us(20));
  EXPECT_EQ(lane.buffer.due(), at_us(10));
}

TEST(LaneBuffer, BatchesHoldWholeFramesUpToTheirBound) {
  TestLane lane;
  for (int i = 0; i < 5; ++i) lane.append(100 * 1024, at_us(0));
  EXPECT_EQ(lane.buffer.bytes(), 5 * (100 * 1024 + kFramePrefixBytes));
  EXPECT_EQ(lane.take(at_us(0)), 2 * (100 * 1024 + kFramePrefixBytes));
  EXPECT_EQ(lane.take(at_us(0)), 2 * (100 * 1024 + kFramePrefixBytes));
  EXPECT_EQ(lane.take(at_us(0)), 100 * 1024 + kFramePrefixBytes);
  EXPECT_EQ(lane.buffer.bytes(), 0u);
}

TEST(LaneBuffer, AFrameAboveTheBoundTravelsAlone) {
  TestLane lane;
  lane.append(10, at_us(0));
  lane.append(2 * LaneBuffer::kBatchBytesMax, at_us(0));
  lane.append(10, at_us(0));
  EXPECT_EQ(lane.take(at_us(0)), 14u);
  EXPECT_EQ(lane.take(at_us(0)), 2 * LaneBuffer::kBatchBytesMax + kFramePrefixBytes);
  EXPECT_EQ(lane.take(at_us(0)), 14u);
}

}  // namespace
}  // namespace shoal
