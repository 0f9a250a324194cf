// What one node's disks held becomes the disks of the first node of another cluster, which serves on it.
#include "cluster/engine/restoring.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/engine/retained_writer.h"
#include "proto/shoal/hub.pb.h"
#include "tests/engine/test_clients.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::engine::test {
namespace {

using testing::HasSubstr;

constexpr uint32_t kShards = 2;
constexpr uint64_t kRestoredNode = 9;
constexpr uint64_t kSeed = 5;  // as EngineNode has it

class RestoringTest : public storage::StorageTest {
 protected:
  // A node with messages for a subscriber that is away; its state is on the disk.
  void leave_messages(uint64_t count) {
    NodeOptions options;
    options.directory = path("before");
    options.engine.flush = {Duration::millis(20), 100'000, 200};
    EngineNode node(std::move(options));
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    TestClients clients(node);
    ASSERT_TRUE(clients.connect() && clients.subscribe() && clients.detach());
    ASSERT_TRUE(clients.publish(count, 50));
    node.run_for(Duration::millis(1'500));
  }
  std::unique_ptr<Restoring> begin() {
    std::filesystem::create_directories(path("after"));
    auto begun = Restoring::begin(path("after"), {kRestoredNode}, kShards, kSeed);
    EXPECT_TRUE(begun.ok()) << begun.status();
    return begun.ok() ? *std::move(begun) : nullptr;
  }
  // As of entry `ahead` behind the last one that changed the state: a barrier may be the last.
  void copy_shard(Restoring& restoring, uint32_t shard, raft::Index ahead = 1) {
    auto store = storage::StateStore::open(path("before/shards"), {});
    ASSERT_TRUE(store.ok()) << store.status();
    StorePlan plan{
        .shards = kShards, .cluster_seed = kSeed, .found = false, .groups = {}, .self = {}};
    const ShardReplica replica = make_replica({}, plan, **store, shard);
    const auto reader = (*store)->reader(shard);
    std::string after;
    for (bool is_done = false; !is_done;) {
      const auto portion = reader->portion(after, 10'000);
      ASSERT_TRUE(portion.ok());
      for (const auto& [key, value] : portion->items) {
        ASSERT_TRUE(restoring.add(key, value).ok());
        after = key;
      }
      is_done = portion->done;
    }
    const raft::Index applied = replica.host->server().state().applied();
    const absl::Status finished = restoring.finish_shard(applied + ahead, 3);
    ASSERT_TRUE(finished.ok()) << finished;
  }
  NodeOptions restored() {
    NodeOptions options;
    options.directory = path("after");
    options.id = kRestoredNode;
    options.found = false;
    options.incarnation = ++incarnation_;
    return options;
  }
  std::string record(const std::string& payload) {
    proto::RetainedRecord record;
    record.set_counter(7);
    record.set_node(1);
    record.set_qos(1);
    record.set_payload(payload);
    return record.SerializeAsString();
  }

  uint64_t incarnation_ = 0;
};

TEST_F(RestoringTest, ANodeServesOnIt) {
  leave_messages(2'000);
  auto restoring = begin();
  ASSERT_NE(restoring, nullptr);
  for (uint32_t shard = 0; shard < kShards; ++shard) copy_shard(*restoring, shard);
  ASSERT_TRUE(restoring->add_retained("a/b", record("kept")).ok());
  const absl::Status finished = restoring->finish(1'790'000'000'000);
  ASSERT_TRUE(finished.ok()) << finished;
  restoring.reset();
  for (const uint64_t expected : {uint64_t{2'000}, uint64_t{2'100}}) {
    EngineNode node(restored());
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    TestClients clients(node);
    clients.acknowledges = expected > 2'000;  // the first time all is sent, and nothing taken
    ASSERT_TRUE(clients.connect());
    EXPECT_TRUE(clients.session_present());
    if (!clients.acknowledges) {
      ASSERT_TRUE(clients.detach());
      clients.go_on_behind(2'000);
      ASSERT_TRUE(clients.publish(100, 10));
      continue;
    }
    ASSERT_TRUE(clients.receive(expected)) << clients.received().size();
    for (uint64_t i = 0; i < expected; ++i) ASSERT_EQ(clients.received()[i], i + 1);
  }
  auto store = storage::RetainedStore::open(path("after/retained"), storage::Durability::kFsync);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto retained = load_retained(**store, clock_now());
  ASSERT_TRUE(retained.ok()) << retained.status();
  EXPECT_EQ(retained->as_of_ms, 1'790'000'000'000);
  ASSERT_EQ(retained->items.size(), 1u);
  EXPECT_EQ(retained->items[0].message->topic(), "a/b");
  EXPECT_EQ(retained->items[0].stamp.counter, 7u);
}

TEST_F(RestoringTest, AShardWithoutKeysIsFounded) {
  auto restoring = begin();
  ASSERT_NE(restoring, nullptr);
  ASSERT_TRUE(restoring->finish_shard(4, 2).ok());
  ASSERT_TRUE(restoring->finish_shard(0, 0).ok());
  ASSERT_TRUE(restoring->finish(1).ok());
  restoring.reset();
  EngineNode node(restored());
  ASSERT_TRUE(node.run_until_ready()) << node.failure();
  TestClients clients(node);
  EXPECT_TRUE(clients.connect() && clients.subscribe() && clients.publish(10, 1));
  EXPECT_TRUE(clients.receive(10));
}

TEST_F(RestoringTest, WhatDoesNotFitIsRefused) {
  leave_messages(10);
  auto restoring = begin();
  ASSERT_NE(restoring, nullptr);
  EXPECT_THAT(std::string(restoring->finish(1).message()), HasSubstr("shard 0 is missing"));
  ASSERT_TRUE(restoring->add("key", "value").ok());
  EXPECT_THAT(std::string(restoring->finish_shard(0, 0).message()),
              HasSubstr("no entry that it is as of"));
}

// A state that is ahead of the entry that it is said to be as of has entries that no log will have.
TEST_F(RestoringTest, AStateThatIsAheadIsRefused) {
  leave_messages(100);
  auto restoring = begin();
  ASSERT_NE(restoring, nullptr);
  copy_shard(*restoring, 0);
  copy_shard(*restoring, 1, raft::Index(-1));
  EXPECT_THAT(std::string(restoring->finish(1).message()), HasSubstr("the log ends at"));
}

TEST_F(RestoringTest, ARetainedMessageThatCannotBeReadIsRefused) {
  auto restoring = begin();
  ASSERT_NE(restoring, nullptr);
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    ASSERT_TRUE(restoring->finish_shard(0, 0).ok());
  }
  ASSERT_TRUE(restoring->add_retained("a/b", "no record").ok());
  EXPECT_FALSE(restoring->finish(1).ok());
}

// As a restore that was killed: nothing that is there is taken for a node's store.
TEST_F(RestoringTest, WhatIsNotFinishedDoesNotOpen) {
  leave_messages(100);
  auto restoring = begin();
  ASSERT_NE(restoring, nullptr);
  for (uint32_t shard = 0; shard < kShards; ++shard) copy_shard(*restoring, shard);
  restoring.reset();
  EngineNode node(restored());
  EXPECT_FALSE(node.run_until_ready());
  EXPECT_THAT(node.failure(), HasSubstr("is missing"));
}

}  // namespace
}  // namespace shoal::engine::test
