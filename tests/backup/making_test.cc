// Backups of a made-up node in memory: made, made again, verified, damaged, removed.
#include "node/client/backup/making.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/client/backup/keeping.h"
#include "shoal/random.h"
#include "tests/backup/backup_fixture.h"

namespace shoal::backup::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string random_text(Random& random, size_t size) {
  std::string text;
  while (text.size() < size) text += static_cast<char>(random.below(256));
  return text;
}

Pairs random_pairs(uint64_t seed, size_t count) {
  Random random(seed);
  Pairs pairs;
  while (pairs.size() < count) pairs[random_text(random, 10)] = random_text(random, 200);
  return pairs;
}

class Making : public ::testing::Test {
 protected:
  void SetUp() override {
    source_.shards = {random_pairs(1, 20'000), {}, random_pairs(2, 30'000)};
    source_.retained = {{"a/b", "one"}, {"a/c", "two"}, {"a", "three"}};
  }
  std::vector<std::string> wrong(const std::string& name = "") {
    const auto manifest = find_manifest(target_, name);
    if (!manifest.ok()) return {std::string(manifest.status().message())};
    Progress progress(Progress::Kind::kNone, "verify");
    return verify(target_, *manifest, progress);
  }
  Pairs read(const Part& part) {
    Pairs pairs;
    Progress progress(Progress::Kind::kNone, "read");
    const absl::Status status = read_part(target_, part, "part", progress,
                                          [&](std::string_view key, std::string_view value) {
                                            pairs.emplace(key, value);
                                            return absl::OkStatus();
                                          });
    EXPECT_TRUE(status.ok()) << status;
    return pairs;
  }
  size_t manifests() {
    return static_cast<size_t>(
        std::count_if(target_.objects.begin(), target_.objects.end(),
                      [](const auto& object) { return object.first.starts_with("backups/"); }));
  }

  FakeSource source_;
  MemoryTarget target_;
};

TEST_F(Making, HoldsWhatTheNodeGave) {
  const auto made = make(source_, target_, "first");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(source_.ends, 1);
  const auto manifest = read_manifest(target_, "first");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(*manifest, made->manifest);
  for (size_t shard = 0; shard < source_.shards.size(); ++shard) {
    EXPECT_EQ(read(manifest->parts[shard]), source_.shards[shard]);
    EXPECT_EQ(manifest->parts[shard].index, 100 + shard);
    EXPECT_EQ(manifest->parts[shard].term, 7u);
  }
  EXPECT_EQ(read(manifest->retained), source_.retained);
  EXPECT_EQ(manifest->seed, 77u);
  EXPECT_THAT(wrong(), IsEmpty());
}

TEST_F(Making, TheNextOneStoresWhatChanged) {
  const auto first = make(source_, target_, "first");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->new_chunks, first->chunks);
  source_.shards[2].begin()->second = "changed";
  source_.wall_ms += 1000;
  const auto second = make(source_, target_, "");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->manifest.name, "20260921T141321Z");
  EXPECT_LE(second->new_chunks, 2u);
  EXPECT_LT(second->new_bytes, second->manifest.bytes() / 2);
  EXPECT_THAT(wrong("first"), IsEmpty());
  EXPECT_THAT(wrong(), IsEmpty());
  EXPECT_EQ(find_manifest(target_, "")->name, second->manifest.name);
}

TEST_F(Making, ANameIsTakenOnce) {
  ASSERT_TRUE(make(source_, target_, "first").ok());
  const auto before = target_.objects;
  EXPECT_EQ(make(source_, target_, "first").status().message(),
            "memory: there is a backup first already");
  EXPECT_EQ(target_.objects, before);
}

TEST_F(Making, ACutThatIsLostLeavesNoBackup) {
  source_.lost_at = 250;
  EXPECT_EQ(make(source_, target_, "first").status().message(), "the leader of shard 1 is gone");
  EXPECT_EQ(source_.ends, 1);
  EXPECT_EQ(manifests(), 0u);
}

TEST_F(Making, ATargetThatIsFullLeavesNoBackup) {
  for (const std::string at : {"chunks/", "backups/"}) {
    target_.fails_at = at;
    EXPECT_THAT(std::string(make(source_, target_, "first").status().message()), HasSubstr("full"));
    EXPECT_EQ(manifests(), 0u);
  }
  EXPECT_EQ(source_.ends, 2);
}

TEST_F(Making, ANodeThatMakesNoSenseIsRefused) {
  const std::string nonsense = "what the node says makes no sense: ";
  const auto with = [&](std::function<void(std::vector<proto::BackupPortion>&)> spoil) {
    source_.spoil = std::move(spoil);
    return std::string(make(source_, target_, "first").status().message());
  };
  EXPECT_EQ(with([](auto& all) { std::swap(all[0], all[1]); }),
            nonsense + "shard 0: keys do not ascend");
  EXPECT_EQ(with([](auto& all) { all[3].set_index(5); }),
            nonsense + "shard 0 is not as of one entry of its log");
  EXPECT_EQ(with([](auto& all) { all[3].add_keys("x"); }),
            nonsense + "shard 0: a value is missing");
  EXPECT_EQ(with([](auto& all) { all.erase(all.begin(), all.begin() + 200); }),
            nonsense + "shard 1 comes after 0 shards");
  EXPECT_EQ(with([](auto& all) { all.erase(all.begin() + 1, all.end() - 1); }),
            nonsense + "shard 0 did not come");
  EXPECT_EQ(manifests(), 0u);
}

TEST_F(Making, DamageIsNamed) {
  const auto made = make(source_, target_, "first");
  ASSERT_TRUE(made.ok());
  const std::string missing = chunk_name(made->manifest.parts[0].chunks[1].hash);
  const std::string damaged = chunk_name(made->manifest.parts[2].chunks[0].hash);
  const std::string swapped = chunk_name(made->manifest.parts[2].chunks[1].hash);
  target_.objects.erase(missing);
  target_.objects[damaged][200] ^= 1;
  target_.objects[swapped] = target_.objects[chunk_name(made->manifest.parts[0].chunks[0].hash)];
  EXPECT_THAT(wrong(), ElementsAre("memory: " + missing + " of shard 0 is missing",
                                   "memory: " + damaged + " of shard 2 is damaged",
                                   "memory: " + swapped + " of shard 2 is damaged"));
}

TEST_F(Making, ADamagedManifestIsNone) {
  ASSERT_TRUE(make(source_, target_, "first").ok());
  std::string& text = target_.objects["backups/first.json"];
  const std::string whole = text;
  for (size_t i = 0; i < whole.size(); i += 61) {
    text = whole;
    text[i] ^= 1;
    EXPECT_THAT(wrong("first"), ElementsAre(HasSubstr("backups/first.json is damaged"))) << i;
  }
  text = whole.substr(0, whole.size() / 2);
  EXPECT_THAT(wrong("first"), ElementsAre(HasSubstr("backups/first.json is damaged")));
  target_.objects["backups/other.json"] = whole;
  text = whole;
  EXPECT_THAT(wrong("other"), ElementsAre(HasSubstr("is of the backup first")));
  EXPECT_THAT(wrong("none"), ElementsAre("memory: there is no backup none"));
}

TEST_F(Making, AManifestThatMakesNoSenseIsRefused) {
  const auto made = make(source_, target_, "first");
  ASSERT_TRUE(made.ok());
  const auto why = [](const Manifest& manifest) {
    return std::string(manifest_of(text_of(manifest)).status().message());
  };
  EXPECT_EQ(why(made->manifest), "");
  Manifest spoiled = made->manifest;
  spoiled.shards = 2;
  EXPECT_EQ(why(spoiled), "makes no sense: shards");
  spoiled = made->manifest;
  spoiled.parts[0].chunks[0].hash = "../../etc/passwd";
  EXPECT_EQ(why(spoiled), "makes no sense: a chunk's hash");
  const std::string other = "{\"format\":2";
  EXPECT_EQ(manifest_of(other + ",\n\"sha256\":\"" + hash_of(other) + "\"}\n").status().message(),
            "is of format 2, this program knows 1");
}

TEST_F(Making, RemovingLeavesTheOthersWhole) {
  ASSERT_TRUE(make(source_, target_, "first").ok());
  source_.shards[0] = random_pairs(9, 20'000);
  source_.wall_ms += 1000;
  ASSERT_TRUE(make(source_, target_, "second").ok());
  target_.objects["chunks/00/left-by-one-that-was-cut-short"] = "x";
  const size_t before = target_.objects.size();
  const auto removed = remove_backup(target_, "first");
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(target_.objects.size(), before - removed->chunks - 1);
  EXPECT_GT(removed->chunks, 2u);
  EXPECT_EQ(manifests(), 1u);
  EXPECT_THAT(wrong("second"), IsEmpty());
  EXPECT_EQ(remove_backup(target_, "first").status().message(), "memory: there is no backup first");
  ASSERT_TRUE(remove_backup(target_, "second").ok());
  EXPECT_THAT(target_.objects, IsEmpty());
}

TEST_F(Making, NothingIsRemovedWhereAManifestCannotBeRead) {
  ASSERT_TRUE(make(source_, target_, "first").ok());
  source_.wall_ms += 1000;
  ASSERT_TRUE(make(source_, target_, "second").ok());
  target_.objects["backups/second.json"][5] ^= 1;
  const auto before = target_.objects;
  EXPECT_THAT(std::string(remove_backup(target_, "first").status().message()),
              HasSubstr("backups/second.json is damaged"));
  EXPECT_EQ(target_.objects, before);
}

// A backup that another one's removal strikes fails, instead of lacking chunks.
TEST_F(Making, ARemovalMeanwhileIsNoticed) {
  ASSERT_TRUE(make(source_, target_, "first").ok());
  source_.wall_ms += 1000;
  source_.spoil = [this](auto&) { ASSERT_TRUE(remove_backup(target_, "first").ok()); };
  EXPECT_THAT(std::string(make(source_, target_, "second").status().message()),
              HasSubstr("was removed while the backup was made"));
  EXPECT_EQ(manifests(), 0u);
}

}  // namespace
}  // namespace shoal::backup::test
