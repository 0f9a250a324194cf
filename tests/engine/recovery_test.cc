// The stores of a node that does not run, before and after a recovery.
#include "cluster/engine/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cluster/engine/log_records.h"
#include "cluster/engine/opening.h"
#include "cluster/raft/raft_group.h"
#include "cluster/shard/entry.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Kind = ShardRecovery::Kind;

constexpr uint64_t kSeed = 7;
constexpr NodeId kSelf{1};

raft::Configuration three() { return {{{{1}}, {{2}}, {{3}}}}; }

class RecoveryTest : public storage::StorageTest {
 protected:
  RecoveryTest() {
    std::filesystem::create_directory(path("retained"));
    EXPECT_TRUE(storage::StateStore::open(path("shards"), {}).ok());
  }

  std::vector<storage::RecoveredLog> logs() {
    auto log = storage::LogStore::open(path("log"), storage::Durability::kFsync);
    EXPECT_TRUE(log.ok());
    return *(*log)->recover();
  }
  void write(const storage::RecoveredLog& log) {
    auto store = storage::LogStore::open(path("log"), storage::Durability::kFsync);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->recover().ok());
    const storage::LogWrite write{.group = log.group,
                                  .state = log.state,
                                  .first = log.entries.empty() ? 0 : log.entries.front().index,
                                  .entries = log.entries};
    ASSERT_TRUE((*store)->write({&write, 1}).ok());
  }
  // A replica of three with commands up to `last`.
  static storage::RecoveredLog replica(uint32_t shard, uint64_t last) {
    storage::RecoveredLog log = log_of({shard, 1}, raft::RaftGroup::founded(three()));
    log.state.term = 5;
    log.state.vote = 2;
    for (uint64_t index = 2; index <= last; ++index) {
      shard::EntryBuilder entry(index);
      entry.add(shard::TickOp{});
      log.entries.push_back(
          {index, 4, static_cast<uint8_t>(raft::EntryKind::kCommand), entry.finish()});
    }
    return log;
  }
  // As a start does.
  absl::StatusOr<OpenStore> start(uint32_t shards) {
    StorePlan plan{.shards = shards, .cluster_seed = kSeed, .groups = {}, .self = kSelf};
    for (uint32_t shard = 0; shard < shards; ++shard) plan.groups.push_back({{shard, 1}, three()});
    OpeningOptions options;
    options.directory = path("");
    options.directory.pop_back();
    return open_store(options, plan);
  }
  std::string root() {
    std::string root = path("");
    root.pop_back();
    return root;
  }
};

TEST_F(RecoveryTest, WhatIsHeldIsTold) {
  write(replica(0, 9));
  storage::RecoveredLog forgotten;
  forgotten.group = {1, 1};
  forgotten.state.term = 3;
  write(forgotten);
  const auto held = held_replicas(root(), 2, kSeed);
  ASSERT_TRUE(held.ok()) << held.status();
  ASSERT_THAT(*held, SizeIs(2));
  EXPECT_EQ(held->at(0).last, 9u);
  EXPECT_EQ(held->at(0).last_term, 4u);
  EXPECT_EQ(held->at(0).term, 5u);
  EXPECT_THAT(held->at(0).voters, ElementsAre(NodeId{1}, NodeId{2}, NodeId{3}));
  EXPECT_EQ(held->at(1).last, 0u);
}

TEST_F(RecoveryTest, AReplicaGoesOnAlone) {
  write(replica(0, 9));
  RecoveryPlan plan{.survivors = {kSelf}, .lost = {}, .incarnation = 2, .shards = {}};
  plan.shards.push_back({.kind = Kind::kAlone, .node = kSelf, .term = 6, .last = 9, .voters = {}});
  const absl::Status done = recover(root(), kSelf, plan);
  ASSERT_TRUE(done.ok()) << done;
  const auto after = logs();
  ASSERT_THAT(after, SizeIs(1));
  EXPECT_EQ(after[0].group.incarnation, 2u);
  EXPECT_EQ(after[0].state.vote, 0u);
  EXPECT_EQ(after[0].entries.back().index, 11u);

  // A crash kept the old one from being removed.
  write(replica(0, 9));
  auto opened = start(1);
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_THAT(opened->replicas, SizeIs(1));
  EXPECT_EQ(opened->replicas[0].group, (raft::GroupId{0, 2}));
  const raft::Configuration servers = last_configuration(*opened->replicas[0].recovered);
  EXPECT_EQ(servers, (raft::Configuration{{{kSelf}}}));
  *opened = {};
  EXPECT_THAT(logs(), SizeIs(1));
}

TEST_F(RecoveryTest, OthersBeginWithNothingAndVoteForNobodyOfBefore) {
  write(replica(0, 9));
  write(replica(1, 9));
  write(replica(2, 9));
  RecoveryPlan plan{.survivors = {kSelf, {2}}, .lost = {}, .incarnation = 4, .shards = {}};
  plan.shards.push_back({.shard = 0, .kind = Kind::kAlone, .node = {2}, .term = 6, .voters = {}});
  plan.shards.push_back({.shard = 1, .kind = Kind::kWhole, .voters = {}});
  plan.shards.push_back({.shard = 2, .kind = Kind::kAlone, .node = {2}, .term = 6, .voters = {}});
  plan.shards.push_back(
      {.shard = 3, .kind = Kind::kFounded, .node = kSelf, .term = 1, .voters = {}});
  ASSERT_TRUE(recover(root(), kSelf, plan).ok());
  const auto after = logs();
  ASSERT_THAT(after, SizeIs(4));
  for (const size_t emptied : {0, 2}) {
    EXPECT_EQ(after[emptied].group.incarnation, 4u);
    EXPECT_EQ(after[emptied].state.term, 6u);
    EXPECT_THAT(after[emptied].entries, SizeIs(0));
  }
  EXPECT_EQ(after[1].group.incarnation, 1u);
  EXPECT_THAT(after[1].entries, SizeIs(9));
  EXPECT_EQ(after[3].group.incarnation, 4u);
  EXPECT_THAT(after[3].entries, SizeIs(2));
  const auto opened = start(4);
  EXPECT_TRUE(opened.ok()) << opened.status();
}

TEST_F(RecoveryTest, StoresThatAreNotThereAreNotMade) {
  EXPECT_THAT(std::string(held_replicas(root(), 1, kSeed).status().message()),
              HasSubstr("/log is missing"));
  EXPECT_FALSE(std::filesystem::exists(path("log")));
}

}  // namespace
}  // namespace shoal::engine
