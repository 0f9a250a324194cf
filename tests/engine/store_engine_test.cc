// A node's store on real disks: what was answered is there after any end of the process; what is damaged
// or missing refuses to open; a disk that fails ends it, in words.
#include "cluster/engine/store_engine.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/engine/log_records.h"
#include "cluster/shard/entry.h"
#include "proto/shoal/store.pb.h"
#include "shoal/random.h"
#include "tests/engine/test_clients.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::engine::test {

// As DISABLED_Child: for other tests to start.
using storage::DISABLED_Child;

namespace {

using storage::LogStore;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::SizeIs;

// Much happens in little time.
constexpr FlushPace kQuick{Duration::millis(20), 100'000, 200};
// What was applied is committed within a second, and flushed soon after.
constexpr Duration kFlushed = Duration::millis(1'500);

class StoreEngineTest : public storage::StorageTest {
 protected:
  NodeOptions options(bool found, const std::string& name = "data") {
    NodeOptions options;
    options.directory = path(name);
    options.found = found;
    options.incarnation = ++incarnation_;
    options.engine.flush = kQuick;
    return options;
  }
  std::string log() { return path("data/log"); }
  std::string state() { return path("data/shards"); }

  // Why it does not open.
  std::string refusal(bool found = false, const std::string& name = "data") {
    EngineNode node(options(found, name));
    EXPECT_FALSE(node.run_until_ready());
    EXPECT_EQ(node.failures(), 1);
    return node.failure();
  }
  // A new node, a subscriber, and so many messages for it; then it is away.
  void leave_messages(uint64_t count, NodeOptions options, uint64_t depth = 50) {
    EngineNode node(std::move(options));
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    TestClients clients(node);
    ASSERT_TRUE(clients.connect() && clients.subscribe() && clients.detach());
    ASSERT_TRUE(clients.publish(count, depth));
    node.run_for(kFlushed);
  }
  // What is there for the subscriber: all up to `answered` at least, each once and in order.
  void expect_messages(uint64_t answered, NodeOptions options) {
    EngineNode node(std::move(options));
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    TestClients clients(node);
    ASSERT_TRUE(clients.connect());
    EXPECT_TRUE(clients.session_present());
    ASSERT_TRUE(clients.receive(answered)) << clients.received().size() << " of " << answered;
    for (uint64_t i = 0; i < clients.received().size(); ++i) {
      ASSERT_EQ(clients.received()[i], i + 1);
    }
    node.run_for(kFlushed);
  }

  // Of a child in this directory, which was incarnation 1.
  uint64_t answered_by_child() {
    incarnation_ = 1;
    uint64_t answered = 0;
    std::ifstream(path("answered")) >> answered;
    EXPECT_GT(answered, 100u);
    return answered;
  }

  uint64_t incarnation_ = 0;
};

TEST_F(StoreEngineTest, WhatWasAnsweredIsThereAfterARestart) {
  for (const int threads : {1, 3}) {
    NodeOptions first = options(true, "data" + std::to_string(threads));
    first.engine.shard_threads = threads;
    leave_messages(1'000, first);
    expect_messages(1'000, options(false, "data" + std::to_string(threads)));
  }
}

// As soon as it leads: what was flushed, and what is still in the log alone.
TEST_F(StoreEngineTest, TheHubKnowsWhichSessionsAreStoredAfterARestart) {
  for (const bool is_flushed : {true, false}) {
    const std::string name = is_flushed ? "flushed" : "logged";
    {
      EngineNode node(options(true, name));
      ASSERT_TRUE(node.run_until_ready()) << node.failure();
      EXPECT_TRUE(node.store().is_nothing_stored(TestClients::kClient));
      TestClients clients(node);
      ASSERT_TRUE(clients.connect());
      EXPECT_FALSE(node.store().is_nothing_stored(TestClients::kClient));
      ASSERT_TRUE(clients.detach());
      if (is_flushed) node.run_for(kFlushed);
    }
    EngineNode node(options(false, name));
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    EXPECT_FALSE(node.store().is_nothing_stored(TestClients::kClient));
    EXPECT_TRUE(node.store().is_nothing_stored("another"));
  }
}

TEST_F(StoreEngineTest, TheLogIsCutBehindWhatIsFlushed) {
  NodeOptions cutting = options(true);
  cutting.trailing = 50;
  leave_messages(500, cutting, 1);
  auto store = LogStore::open(log(), storage::Durability::kFsync);
  ASSERT_TRUE(store.ok()) << store.status();
  auto logs = (*store)->recover(wants_payload);
  ASSERT_TRUE(logs.ok()) << logs.status();
  ASSERT_THAT(*logs, SizeIs(2));
  for (storage::RecoveredLog& each : *logs) {
    const auto recovered = recovered_of(std::move(each));
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    ASSERT_TRUE(recovered->snapshot.has_value());
    EXPECT_GT(recovered->first, 1u);
    EXPECT_LT(recovered->log.size(), 400u);
  }
  store->reset();
  expect_messages(500, options(false));
}

TEST_F(StoreEngineTest, NothingIsFlushedWhileNothingIsApplied) {
  EngineNode node(options(true));
  ASSERT_TRUE(node.run_until_ready()) << node.failure();
  TestClients clients(node);
  ASSERT_TRUE(clients.connect() && clients.subscribe() && clients.publish(10, 1));
  ASSERT_TRUE(clients.receive(10));
  node.run_for(kFlushed);
  const int flushes = node.flushes();
  const uint64_t persisted = node.persisted();
  EXPECT_GT(flushes, 0);
  node.run_for(kFlushed);
  EXPECT_EQ(node.flushes(), flushes);
  EXPECT_EQ(node.persisted(), persisted);
}

// ---- kill -9

constexpr uint64_t kRound = 1'000'000;  // the messages of a process begin at a multiple of it

// Messages that nobody takes, until it is killed; says how many were answered.
void publish_for_ever(const std::string& directory, storage::Durability durability) {
  uint64_t round = 0;
  std::ifstream(directory + "/round") >> round;
  NodeOptions options;
  options.directory = directory;
  options.found = round == 0;
  options.incarnation = round + 1;
  options.trailing = 30;
  options.engine.flush = kQuick;
  options.engine.stores.durability = durability;
  options.engine.stores.write_buffer_bytes = 256 * 1024;  // RocksDB flushes by itself, too
  EngineNode node(std::move(options));
  ASSERT_TRUE(node.run_until_ready()) << node.failure();
  TestClients clients(node);
  if (round == 0) ASSERT_TRUE(clients.connect() && clients.subscribe() && clients.detach());
  clients.go_on_behind(round * kRound);
  clients.on_answered = [&] { storage::Child::report(clients.answered() - round * kRound); };
  ASSERT_TRUE(clients.publish(kRound, 20)) << node.failure();
}

TEST_F(DISABLED_Child, PublishesForEver) {
  publish_for_ever(directory(), storage::Durability::kFsync);
}
TEST_F(DISABLED_Child, PublishesForEverWithoutSyncs) {
  publish_for_ever(directory(), storage::Durability::kOs);
}

class KillTest : public StoreEngineTest {
 protected:
  // Kills it at some points, each time after a start on what the last one left.
  void kill_and_check(const std::string& child) {
    constexpr uint64_t kRounds = 6;
    Random random(3);
    std::vector<uint64_t> told;
    std::filesystem::create_directory(path("data"));
    for (uint64_t round = 0; round < kRounds; ++round) {
      std::ofstream(path("data/round")) << round;
      told.push_back(kill_at(1 + random.below(700), child, path("data")));
    }
    incarnation_ = kRounds;
    EngineNode node(options(false));
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    TestClients clients(node);
    ASSERT_TRUE(clients.connect());
    EXPECT_TRUE(clients.session_present());
    ASSERT_TRUE(clients.receive((kRounds - 1) * kRound + told.back()));
    uint64_t last = 0, round = 0;
    for (const uint64_t each : clients.received()) {
      if (each / kRound != round) {
        EXPECT_GE(last, round * kRound + told[round]);
        last = ++round * kRound;
      }
      ASSERT_EQ(each, last + 1);
      last = each;
    }
    EXPECT_EQ(round, kRounds - 1);
  }
};

TEST_F(KillTest, WhatWasAnsweredIsThereAfterAKill) { kill_and_check("PublishesForEver"); }
TEST_F(KillTest, AlsoWithoutSyncs) { kill_and_check("PublishesForEverWithoutSyncs"); }

// ---- what is missing or damaged

TEST_F(StoreEngineTest, ALostLogRefusesToOpen) {
  leave_messages(10, options(true));
  std::filesystem::remove_all(log());
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr(log() + " is missing"), HasSubstr("empty data directory")));
  // Nor is it founded anew beside what it was.
  std::filesystem::remove_all(log());
  EXPECT_THAT(refusal(true), HasSubstr(state()));
}

TEST_F(StoreEngineTest, ALostStateIsMadeAnewFromAWholeLogOnly) {
  NodeOptions never = options(true);
  never.engine.flush.interval = Duration::seconds(100);
  never.engine.flush.applied_entries = 1'000'000;
  leave_messages(100, never);
  std::filesystem::remove_all(state());
  expect_messages(100, options(false));  // flushes
  std::filesystem::remove_all(state());
  EXPECT_THAT(refusal(), HasSubstr("the state of shard"));
}

TEST_F(StoreEngineTest, ALogOfAnotherClusterRefusesToOpen) {
  NodeOptions larger = options(true);
  larger.shards = 3;
  leave_messages(10, larger);
  EXPECT_THAT(refusal(), HasSubstr("shard 2 of incarnation 1 does not belong to this cluster"));
}

TEST_F(StoreEngineTest, ADamagedRecordRefusesToOpen) {
  leave_messages(50, options(true));
  const std::filesystem::path file = last_file(log(), ".log");
  flip_byte(file, std::filesystem::file_size(file) / 2);
  EXPECT_THAT(refusal(), HasSubstr("log store " + log()));
}

TEST_F(StoreEngineTest, WithoutTheRightDirectoryItSaysSo) {
  std::filesystem::create_directory(path("data"));
  std::ofstream(state()) << "a file";
  EXPECT_THAT(refusal(true), HasSubstr("state store " + state()));
}

// A downgrade: replicas must not guess what a later version meant.
TEST_F(StoreEngineTest, ALogOfALaterVersionEndsIt) {
  {
    EngineNode node(options(true));
    ASSERT_TRUE(node.run_until_ready()) << node.failure();
    std::string op;
    shard::append_op(shard::FeatureOp{shard::kFeatureLevel + 1}, std::nullopt, op);
    proto::ShardOps message;
    message.set_ops(op);
    message.set_op_count(1);
    const std::string frame = message.SerializeAsString();
    node.store().on_frame(NodeId{9}, replica::StoreFrame::kOps,
                          {reinterpret_cast<const uint8_t*>(frame.data()), frame.size()},
                          clock_now());
    TestClients clients(node);
    EXPECT_FALSE(clients.connect() && clients.subscribe() && clients.publish(10, 1));
    EXPECT_THAT(node.failure(), HasSubstr("shard 0: its log was written by a later version"));
  }
  EXPECT_THAT(refusal(), HasSubstr("by a later version"));
}

// ---- disks that fail

// Until the disk takes no more: then one report, and nothing is answered any more.
TEST_F(DISABLED_Child, PublishesUntilTheDiskIsFull) {
  NodeOptions options;
  options.directory = directory() + "/data";
  options.engine.flush = kQuick;
  EngineNode node(options);
  ASSERT_TRUE(node.run_until_ready()) << node.failure();
  TestClients clients(node);
  ASSERT_TRUE(clients.connect() && clients.subscribe() && clients.detach());
  EXPECT_FALSE(clients.publish(9'000, 20, std::string(2'000, 'x')));
  EXPECT_EQ(node.failures(), 1);
  EXPECT_THAT(node.failure(), AnyOf(HasSubstr("log store " + directory() + "/data/log: writing"),
                                    HasSubstr("state store " + directory() + "/data/shards")));
  const uint64_t answered = clients.answered();
  const Instant end = clock_now().mono + Duration::millis(300);
  while (clock_now().mono < end) node.turn(Duration::millis(10));
  EXPECT_EQ(clients.answered(), answered);
  EXPECT_EQ(node.failures(), 1);
  std::ofstream(directory() + "/answered") << answered;
}

TEST_F(StoreEngineTest, AFileThatCannotGrowEndsItAndLosesNothing) {
  std::filesystem::create_directory(path("data"));
  ASSERT_TRUE(passes_with_file_limit(1'000'000, "PublishesUntilTheDiskIsFull", path("")));
  const uint64_t answered = answered_by_child();
  expect_messages(answered, options(false));
}

TEST_F(StoreEngineTest, AFullFileSystemEndsItAndLosesNothing) {
  std::filesystem::create_directory(path("data"));
  if (::mount("none", path("data").c_str(), "tmpfs", 0, "size=3m") != 0) {
    GTEST_SKIP() << "only root may mount";
  }
  const bool passed =
      passes_with_file_limit(RLIM_INFINITY, "PublishesUntilTheDiskIsFull", path(""));
  const uint64_t answered = answered_by_child();
  EXPECT_TRUE(passed);
  EXPECT_EQ(::mount("none", path("data").c_str(), "tmpfs", MS_REMOUNT, "size=100m"), 0);
  expect_messages(answered, options(false));
  EXPECT_EQ(::umount(path("data").c_str()), 0);
}

}  // namespace
}  // namespace shoal::engine::test
