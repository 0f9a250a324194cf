#include "node/client/backup/chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "shoal/random.h"

namespace shoal::backup {
namespace {

using Pairs = std::map<std::string, std::string>;

std::string bytes_from(Random& random, size_t size) {
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(random.below(256));
  return bytes;
}

Pairs drawn_pairs(uint64_t seed, size_t count, size_t value_max) {
  Random random(seed);
  Pairs pairs;
  while (pairs.size() < count) {
    pairs[bytes_from(random, 12)] = bytes_from(random, 1 + random.below(value_max));
  }
  return pairs;
}

std::vector<std::string> cut(const Pairs& pairs) {
  ChunkCutter cutter;
  std::vector<std::string> chunks;
  for (const auto& [key, value] : pairs) {
    std::string chunk = cutter.add(key, value);
    if (!chunk.empty()) chunks.push_back(std::move(chunk));
  }
  if (std::string rest = cutter.finish(); !rest.empty()) chunks.push_back(std::move(rest));
  return chunks;
}

size_t new_ones(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const std::set<std::string> known(before.begin(), before.end());
  size_t count = 0;
  for (const std::string& each : after) count += known.contains(each) ? 0 : 1;
  return count;
}

TEST(Chunks, HoldAllInOrder) {
  const Pairs pairs = drawn_pairs(1, 20'000, 400);
  Pairs found;
  std::string last;
  for (const std::string& chunk : cut(pairs)) {
    EXPECT_TRUE(visit_contents(chunk, [&](std::string_view key, std::string_view value) {
      EXPECT_GT(key, last);
      last = key;
      found.emplace(key, value);
    }));
  }
  EXPECT_EQ(found, pairs);
}

TEST(Chunks, AreOfTheSizeThatIsWanted) {
  for (const size_t value_max : {size_t{60}, size_t{1'000}, size_t{60'000}}) {
    const Pairs pairs = drawn_pairs(2, 40'000'000 / value_max, value_max);
    const std::vector<std::string> chunks = cut(pairs);
    size_t bytes = 0;
    for (size_t i = 0; i < chunks.size(); ++i) {
      bytes += chunks[i].size();
      EXPECT_LT(chunks[i].size(), kChunkBytesMax + value_max + 32);
      if (i + 1 < chunks.size()) EXPECT_GE(chunks[i].size(), kChunkBytesMin);
    }
    const size_t average = bytes / chunks.size();
    EXPECT_GT(average, kChunkBytesWanted / 2) << value_max;
    EXPECT_LT(average, kChunkBytesWanted * 2) << value_max;
  }
}

// What an incremental backup rests on.
TEST(Chunks, AChangeMakesFewOthers) {
  const Pairs before = drawn_pairs(3, 200'000, 300);
  const std::vector<std::string> chunks = cut(before);
  ASSERT_GT(chunks.size(), 15u);
  size_t most = 0;
  Random random(4);
  for (int change = 0; change < 12; ++change) {
    Pairs after = before;
    auto at = after.begin();
    std::advance(at, random.below(after.size()));
    if (change % 3 == 0) {
      after.erase(at);
    } else if (change % 3 == 1) {
      at->second = bytes_from(random, 5'000);
    } else {
      after[bytes_from(random, 12)] = "new";
    }
    most = std::max(most, new_ones(chunks, cut(after)));
  }
  EXPECT_LE(most, 6u);
  EXPECT_EQ(cut(before), chunks);
}

TEST(Chunks, AValueMayBeLargerThanAChunk) {
  const Pairs pairs{{"a", std::string(9'000'000, 'x')}, {"b", "small"}};
  EXPECT_EQ(cut(pairs).size(), 2u);
}

TEST(Chunks, ComeBackAsTheyWere) {
  for (const std::string& contents : cut(drawn_pairs(5, 3'000, 900))) {
    const auto back = contents_of(chunk_of(contents), contents.size());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, contents);
  }
}

TEST(Chunks, DamageAndOtherFormatsAreNotRead) {
  const std::string contents = cut(drawn_pairs(6, 500, 100)).front();
  const std::string chunk = chunk_of(contents);
  const auto why = [&](const std::string& bytes) {
    const auto back = contents_of(bytes, contents.size());
    // Whatever is not noticed here changes what the hash is of.
    return back.ok() ? hash_of(*back) == hash_of(contents) ? "the same" : "another"
                     : std::string(back.status().message());
  };
  EXPECT_EQ(why(chunk), "the same");
  EXPECT_EQ(why(""), "is no chunk of a backup");
  EXPECT_EQ(why("shoalbk"), "is no chunk of a backup");
  std::string later = chunk;
  later[7] = 2;
  EXPECT_EQ(why(later), "is of format 2, this program knows 1");
  EXPECT_EQ(why(chunk.substr(0, chunk.size() - 1)), "is damaged");
  EXPECT_FALSE(contents_of(chunk, contents.size() + 1).ok());
  for (size_t i = 8; i < chunk.size(); i += 97) {
    std::string changed = chunk;
    changed[i] ^= 0x10;
    EXPECT_NE(why(changed), "the same") << i;
  }
}

// Never another one: all chunks of all targets would be new ones.
TEST(Chunks, NamesAndCutsStayAsTheyAre) {
  Pairs pairs;
  for (int i = 0; i < 60'000; ++i) pairs["key " + std::to_string(i)] = std::string(50, 'v');
  std::string all;
  for (const std::string& chunk : cut(pairs)) all += hash_of(chunk) + "\n";
  EXPECT_EQ(hash_of(all), "baf0093c2357bec4ba4f1a2bbac9aff2268539944361cf9e91612e67d098589c");
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(chunk_name("abcd"), "chunks/ab/abcd");
}

}  // namespace
}  // namespace shoal::backup
