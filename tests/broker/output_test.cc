// What outputs take of their pool, and what the pool keeps.
#include "node/broker/output.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <vector>

#include "node/broker/chunk_pool.h"

namespace shoal {
namespace {

std::vector<size_t> piece_sizes(const Output& output) {
  std::array<std::span<const uint8_t>, 16> pieces;
  std::vector<size_t> sizes;
  for (const auto piece : std::span(pieces).first(output.gather(pieces))) {
    sizes.push_back(piece.size());
  }
  return sizes;
}

TEST(OutputTest, ChunksGrowWithWhatIsWritten) {
  ChunkPool pool;
  Output output;
  output.attach(pool);
  constexpr size_t kPacket = 24;
  for (int i = 0; i < 100; ++i) output.append(kPacket);
  const auto room = [](size_t total) { return (total - sizeof(Chunk)) / kPacket * kPacket; };
  const size_t first = room(ChunkPool::kSizes[0]);
  const size_t second = room(ChunkPool::kSizes[1]);
  EXPECT_EQ(piece_sizes(output), (std::vector<size_t>{first, second, 2400 - first - second}));
  output.clear();
  EXPECT_EQ(pool.spare_bytes(), ChunkPool::kSizes[0] + ChunkPool::kSizes[1] + ChunkPool::kSizes[2]);

  output.append(ChunkPool::kSizes[2]);  // does not fit any: a chunk of its own
  output.append(1);
  output.clear();
  EXPECT_EQ(pool.spare_bytes(), ChunkPool::kSizes[0] + ChunkPool::kSizes[1] + ChunkPool::kSizes[2]);
}

TEST(OutputTest, ThePoolKeepsWhatIsUsedAndGivesTheRestBack) {
  ChunkPool pool;
  std::vector<Output> outputs(2000);
  for (Output& output : outputs) {
    output.attach(pool);
    output.append(1);
  }
  for (Output& output : outputs) output.clear();
  EXPECT_EQ(pool.spare_bytes(), outputs.size() * ChunkPool::kSizes[0]);

  // 500 of them go on.
  constexpr size_t kUsed = 500;
  for (int tick = 0; tick < 200; ++tick) {
    for (size_t i = 0; i < kUsed; ++i) outputs[i].append(1);
    for (size_t i = 0; i < kUsed; ++i) outputs[i].clear();
    pool.trim();
  }
  EXPECT_GE(pool.spare_bytes(), kUsed * ChunkPool::kSizes[0]);
  EXPECT_LE(pool.spare_bytes(), (kUsed + 20) * ChunkPool::kSizes[0]);
  for (int tick = 0; tick < 200; ++tick) pool.trim();
  EXPECT_LE(pool.spare_bytes(), 20 * ChunkPool::kSizes[0]);
}

}  // namespace
}  // namespace shoal
