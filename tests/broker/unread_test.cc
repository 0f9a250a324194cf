#include "node/broker/unread.h"

#include <gtest/gtest.h>

#include <vector>

#include "node/broker/byte_budget.h"

namespace shoal::test {
namespace {

constexpr size_t kMiB = 1024 * 1024;

std::vector<uint8_t> numbered(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  return bytes;
}

TEST(Unread, KeepsWhatCameAndCountsIt) {
  for (const size_t whole : {size_t{0}, size_t{5000}, 40 * kMiB}) {
    ByteBudget budget(kMiB);
    Unread unread;
    const std::vector<uint8_t> bytes = numbered(200'000);
    for (size_t at = 0; at < bytes.size(); at += 1000) {
      ASSERT_TRUE(unread.append(std::span(bytes).subspan(at, 1000), whole, budget));
      EXPECT_GE(budget.bytes(), unread.size());
      EXPECT_LE(budget.bytes(), unread.size() + 4096) << whole;
    }
    EXPECT_TRUE(std::ranges::equal(unread.bytes(), bytes));
    unread.drop_front(150'000);
    EXPECT_TRUE(std::ranges::equal(unread.bytes(), std::span(bytes).subspan(150'000)));
    Unread moved = std::move(unread);
    EXPECT_EQ(moved.size(), 50'000u);
    moved.drop_front(50'000);
    EXPECT_EQ(budget.bytes(), 0u);
  }
}

TEST(Unread, APromiseCostsTheBudgetNothing) {
  ByteBudget budget(10'000);
  Unread unread;
  EXPECT_TRUE(unread.append(numbered(5000), 256 * kMiB, budget));
  EXPECT_LE(budget.bytes(), 5000u);
  EXPECT_TRUE(unread.append(numbered(1000), 256 * kMiB, budget));
  EXPECT_LE(budget.bytes(), 8192u);
  EXPECT_FALSE(unread.append(numbered(5000), 256 * kMiB, budget));
  EXPECT_EQ(unread.size(), 6000u);
  unread.clear();
  EXPECT_EQ(budget.bytes(), 0u);
}

TEST(Unread, ALargePacketIsNotCopiedNearItsEnd) {
  ByteBudget budget(64 * kMiB);
  Unread unread;
  const std::vector<uint8_t> part = numbered(128 * 1024);
  const uint8_t* at = nullptr;
  for (size_t size = part.size(); size <= 32 * kMiB; size += part.size()) {
    ASSERT_TRUE(unread.append(part, 32 * kMiB, budget));
    if (size == 4 * kMiB) at = unread.bytes().data();
  }
  EXPECT_EQ(unread.bytes().data(), at);
  EXPECT_EQ(budget.bytes(), 32 * kMiB);
  const SharedBytes owner = unread.release();
  EXPECT_EQ(owner.get(), at);
  EXPECT_EQ(budget.bytes(), 0u);
}

}  // namespace
}  // namespace shoal::test
