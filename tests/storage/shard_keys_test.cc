// What of a shard's keys is in memory, and that nobody can tell.
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/storage/state_store.h"
#include "shoal/random.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::storage {
namespace {

using testing::IsEmpty;

std::vector<std::string> all_of(const shard::KeyValues& values) {
  std::vector<std::string> all;
  values.scan("", "", [&](std::string_view key, std::string_view value) {
    all.push_back(std::string(key) + "=" + std::string(value));
    return true;
  });
  return all;
}

class ShardKeysTest : public StorageTest {
 protected:
  ShardKeysTest() {
    auto opened = StateStore::open(path("state"), {});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  std::unique_ptr<StateStore> store_;
};

TEST_F(ShardKeysTest, IsWhatAMapWouldBeWhateverIsInMemory) {
  Random random(11);
  auto keys = store_->keys(1);
  shard::MemoryKeyValues expected;
  std::set<std::string> had;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "key " + std::to_string(random.below(300));
    std::string value, wanted;
    const bool is_there = expected.get(key, wanted);
    switch (random.below(6)) {
      case 0:
      case 1:
        ASSERT_EQ(keys->get(key, value), is_there) << step;
        ASSERT_EQ(value, wanted) << step;
        break;
      case 2:
      case 3: {
        // Some so large that what is kept in memory has to go now and then.
        const std::string fresh(random.one_in(20) ? 60'000 : random.below(100), 'x');
        if (had.insert(key).second && random.one_in(2)) {
          keys->add(key, fresh);
        } else {
          keys->put(key, fresh);
        }
        expected.put(key, fresh);
        break;
      }
      case 4:
        keys->remove(key);
        expected.remove(key);
        break;
      default:
        if (random.one_in(10)) ASSERT_TRUE(keys->commit().ok());
        if (random.one_in(200)) {
          ASSERT_TRUE(keys->commit().ok());
          EXPECT_EQ(keys->uncommitted(), 0u);
          keys = store_->keys(1);
        }
    }
    if (step % 500 == 0) ASSERT_EQ(all_of(*keys), all_of(expected)) << step;
  }
}

TEST_F(ShardKeysTest, WhatCameAndWentIsNotCommitted) {
  const auto keys = store_->keys(1);
  std::string value;
  keys->add("added", "1");
  EXPECT_FALSE(keys->get("looked for", value));
  keys->put("looked for", "2");
  keys->put("unknown", "3");
  EXPECT_GT(keys->uncommitted(), 0u);
  for (const char* key : {"added", "looked for"}) keys->remove(key);
  const size_t of_one = keys->uncommitted();
  keys->remove("unknown");
  EXPECT_GT(keys->uncommitted(), 0u);  // it might be on the disk
  EXPECT_LT(keys->uncommitted(), of_one);
  ASSERT_TRUE(keys->commit().ok());
  EXPECT_EQ(keys->uncommitted(), 0u);
  EXPECT_THAT(all_of(*keys), IsEmpty());
}

}  // namespace
}  // namespace shoal::storage
