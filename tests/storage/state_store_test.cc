#include "cluster/storage/state_store.h"

#include <unistd.h>

#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/shard/entry.h"
#include "cluster/shard/shard_state.h"
#include "shoal/random.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::storage {
namespace {

using shard::Applied;
using shard::ShardState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// One entry of a fixed history: any process makes the same.
std::string entry_at(uint64_t index) {
  Random random(index);
  shard::EntryBuilder entry(1'000'000 + index);
  const std::string id = "c" + std::to_string(random.below(20));
  const std::string topic = "t/" + std::to_string(random.below(5));
  const std::string payload(1 + random.below(2000), static_cast<char>('a' + index % 26));
  switch (random.below(4)) {
    case 0:
      entry.add(shard::ConnectOp{.client_id = id,
                                 .user = "u",
                                 .node = NodeId{1},
                                 .incarnation = 1,
                                 .receive_maximum = 3,
                                 .expiry_s = shard::kNeverExpires});
      break;
    case 1: {
      // Right behind a Connect of its own, whose epoch is known.
      const shard::OpPlace epoch = (index << shard::kPositionBits) + 1;
      entry.add(shard::ConnectOp{.client_id = id,
                                 .user = "u",
                                 .node = NodeId{1},
                                 .incarnation = 1,
                                 .receive_maximum = 3,
                                 .expiry_s = shard::kNeverExpires});
      entry.add(shard::SubscribeOp{id, epoch, {{.filter = topic, .qos = Qos::k1}}});
      break;
    }
    default: {
      shard::MessageSpec message{.topic = topic, .payload = payload, .qos = Qos::k1};
      message.retain = random.one_in(3);
      entry.add(shard::PublishOp{message});
      break;
    }
  }
  return entry.finish();
}

uint64_t hash_after(uint64_t index) {
  shard::MemoryKeyValues values;
  ShardState state({}, values);
  for (uint64_t i = 1; i <= index; ++i) {
    shard::Effects effects;
    state.apply(i, entry_at(i), effects);
  }
  return state.hash();
}

void apply_to(ShardKeys& keys, ShardState& state, uint64_t first, uint64_t last) {
  for (uint64_t index = first; index <= last; ++index) {
    shard::Effects effects;
    ASSERT_EQ(state.apply(index, entry_at(index), effects), Applied::kApplied);
    if (index % 7 == 0) ASSERT_TRUE(keys.commit().ok());
  }
  ASSERT_TRUE(keys.commit().ok());
}

class StateStoreTest : public StorageTest {
 protected:
  StateStoreTest() { reopen(); }
  void reopen() {
    store_.reset();
    auto opened = StateStore::open(path("state"), {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  std::vector<std::string> scan(ShardKeys& keys, std::string_view begin, std::string_view end) {
    std::vector<std::string> out;
    keys.scan(begin, end, [&](std::string_view key, std::string_view value) {
      out.push_back(std::string(key) + "=" + std::string(value));
      return true;
    });
    return out;
  }
  std::unique_ptr<StateStore> store_;
};

TEST_F(StateStoreTest, WhatWasPutIsSeenBeforeAndAfterTheCommit) {
  const auto keys = store_->keys(1);
  const auto other = store_->keys(2);
  for (const char* key : {"a", "b", "d"}) keys->put(key, "old");
  ASSERT_TRUE(keys->commit().ok());
  other->put("b", "other");
  ASSERT_TRUE(other->commit().ok());
  keys->put("b", "new");
  keys->put("c", "new");
  keys->remove("d");
  keys->put("e", "gone");
  keys->remove("e");
  for (const bool committed : {false, true}) {
    if (committed) ASSERT_TRUE(keys->commit().ok());
    std::string value;
    EXPECT_TRUE(keys->get("b", value));
    EXPECT_EQ(value, "new");
    EXPECT_FALSE(keys->get("d", value));
    EXPECT_FALSE(keys->get("zz", value));
    EXPECT_THAT(scan(*keys, "", ""), ElementsAre("a=old", "b=new", "c=new"));
    EXPECT_THAT(scan(*keys, "b", "c"), ElementsAre("b=new"));
    EXPECT_THAT(scan(*keys, "bb", ""), ElementsAre("c=new"));
  }
  EXPECT_THAT(scan(*other, "", ""), ElementsAre("b=other"));
  size_t visited = 0;
  keys->scan("", "", [&](std::string_view, std::string_view) { return ++visited < 2; });
  EXPECT_EQ(visited, 2u);
}

TEST_F(StateStoreTest, IsDurableWhenFlushed) {
  store_->keys(1)->put("x", "lost");
  const auto keys = store_->keys(1);
  keys->put("a", "1");
  ASSERT_TRUE(keys->commit().ok());
  ASSERT_TRUE(store_->flush().ok());
  reopen();
  EXPECT_THAT(scan(*store_->keys(1), "", ""), ElementsAre("a=1"));
  ASSERT_TRUE(store_->remove(1).ok());
  EXPECT_THAT(scan(*store_->keys(1), "", ""), IsEmpty());
}

TEST_F(StateStoreTest, ARestartedReplicaGoesOnFromItsIndex) {
  {
    const auto keys = store_->keys(1);
    ShardState state({}, *keys);
    apply_to(*keys, state, 1, 200);
    ASSERT_TRUE(store_->flush().ok());
  }
  reopen();
  const auto keys = store_->keys(1);
  ShardState state({.router_seed = 9}, *keys);
  EXPECT_EQ(state.applied(), 200u);
  EXPECT_EQ(state.hash(), state.hash_anew());
  apply_to(*keys, state, 201, 300);
  EXPECT_EQ(state.hash(), hash_after(300));
  state.check_invariants();
}

const StateStoreOptions kSmallBuffers{.write_buffer_bytes = 64 * 1024};

TEST_F(DISABLED_Child, AppliesEntries) {
  auto store = StateStore::open(directory(), kSmallBuffers);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto keys = (*store)->keys(1);
  ShardState state({}, *keys);
  for (uint64_t index = state.applied() + 1;; ++index) {
    shard::Effects effects;
    state.apply(index, entry_at(index), effects);
    ASSERT_TRUE(keys->commit().ok());
    if (index % 100 == 0) ASSERT_TRUE((*store)->flush().ok());
    report(index);
  }
}

TEST_F(StateStoreTest, TellsBeforeAnythingBecomesDurable) {
  std::atomic<int> told = 0;
  StateStoreOptions options = kSmallBuffers;
  options.before_flush = [&] { ++told; };
  auto opened = StateStore::open(path("told"), options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  store_ = *std::move(opened);
  auto keys = store_->keys(1);
  auto state = std::make_unique<ShardState>(ShardState::Options{}, *keys);
  apply_to(*keys, *state, 1, 300);
  EXPECT_GT(told, 0);  // by itself
  ASSERT_TRUE(store_->flush().ok());
  const int before = told;
  apply_to(*keys, *state, 301, 302);
  ASSERT_TRUE(store_->flush().ok());
  EXPECT_GT(told, before);
  apply_to(*keys, *state, 303, 304);
  const int at_the_end = told;
  state.reset();
  keys.reset();
  store_.reset();
  EXPECT_GT(told, at_the_end);  // what is not flushed yet is at the end
}

// Killed at any moment, with small memtables so that some of it was flushed by RocksDB itself: what is
// there is the state at some index, whole, and the log brings it to the same end.
TEST_F(StateStoreTest, AfterAKillTheStateIsThatOfItsIndex) {
  uint64_t flushed = 0;
  for (const uint64_t until : {150, 330, 480}) {
    kill_at(until, "AppliesEntries", path("killed"));
    auto store = StateStore::open(path("killed"), kSmallBuffers);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto keys = (*store)->keys(1);
    ShardState state({}, *keys);
    EXPECT_GE(state.applied(), until / 100 * 100);
    EXPECT_GE(state.applied(), flushed);
    flushed = state.applied();
    EXPECT_EQ(state.hash(), state.hash_anew());
    EXPECT_EQ(state.hash(), hash_after(state.applied()));
    state.check_invariants();
  }
}

// ---- copies

class CopyTest : public StateStoreTest {
 protected:
  CopyTest()
      : keys_(store_->keys(1)),
        state_(std::make_unique<ShardState>(ShardState::Options{}, *keys_)) {
    apply_to(*keys_, *state_, 1, 150);
  }
  // From shard 1 to shard 2, with the source going on meanwhile.
  void copy(StateInstall& install) {
    std::string after;
    const auto reader = store_->reader(1);
    apply_to(*keys_, *state_, state_->applied() + 1, state_->applied() + 50);
    for (bool done = false; !done;) {
      const auto portion = reader->portion(after, 2'000);
      ASSERT_TRUE(portion.ok()) << portion.status();
      ASSERT_TRUE(install.add(*portion).ok());
      if (!portion->items.empty()) after = portion->items.back().first;
      done = portion->done;
    }
  }
  std::unique_ptr<ShardKeys> keys_;
  std::unique_ptr<ShardState> state_;
};

TEST_F(CopyTest, TakesThePlaceOfWhatWasThereByOneWrite) {
  const auto old = store_->keys(2);
  old->put("old", "state");
  ASSERT_TRUE(old->commit().ok());
  const auto install = store_->install(2);
  copy(*install);
  EXPECT_THAT(scan(*store_->keys(2), "", ""), ElementsAre("old=state"));
  ASSERT_TRUE(install->finish().ok());
  for (const bool after_restart : {false, true}) {
    if (after_restart) {
      state_.reset();
      keys_.reset();
      reopen();
    }
    const auto keys = store_->keys(2);
    ShardState copied({}, *keys);
    EXPECT_EQ(copied.applied(), 150u);
    EXPECT_EQ(copied.hash_anew(), hash_after(150));
    copied.check_invariants();
  }
}

TEST_F(CopyTest, GivenUpLeavesNothing) {
  {
    const auto install = store_->install(2);
    copy(*install);
  }
  EXPECT_THAT(scan(*store_->keys(2), "", ""), IsEmpty());
  const auto install = store_->install(2);
  ASSERT_TRUE(install->finish().ok());
  EXPECT_THAT(scan(*store_->keys(2), "", ""), IsEmpty());
}

TEST_F(DISABLED_Child, InstallsAndNeverFinishes) {
  auto store = StateStore::open(directory(), {});
  ASSERT_TRUE(store.ok()) << store.status();
  const auto old = (*store)->keys(2);
  old->put("old", "state");
  ASSERT_TRUE(old->commit().ok());
  const auto install = (*store)->install(2);
  shard::StatePortion portion;
  for (int i = 0; i < 100; ++i) portion.items.emplace_back("k" + std::to_string(i), "staged");
  ASSERT_TRUE(install->add(portion).ok());
  ASSERT_TRUE((*store)->flush().ok());
  report(1);
  pause();
}

TEST_F(StateStoreTest, OfAnInstallationCutShortByAKillNothingIsLeft) {
  store_.reset();
  kill_at(1, "InstallsAndNeverFinishes", path("state"));
  reopen();
  EXPECT_THAT(scan(*store_->keys(2), "", ""), ElementsAre("old=state"));
  // Not even as a part of the next one.
  const auto install = store_->install(2);
  shard::StatePortion portion;
  portion.items.emplace_back("new", "state");
  ASSERT_TRUE(install->add(portion).ok());
  ASSERT_TRUE(install->finish().ok());
  EXPECT_THAT(scan(*store_->keys(2), "", ""), ElementsAre("new=state"));
}

// ---- errors

TEST_F(StateStoreTest, DamageIsAnErrorThatStays) {
  const auto keys = store_->keys(1);
  for (int i = 0; i < 2000; ++i) keys->put("key" + std::to_string(i), std::string(100, 'x'));
  ASSERT_TRUE(keys->commit().ok());
  ASSERT_TRUE(store_->flush().ok());
  store_.reset();
  for (const auto& each : std::filesystem::directory_iterator(path("state"))) {
    if (each.path().extension() != ".sst") continue;
    for (uint64_t at = 100; at < 2'000; at += 200) flip_byte(each.path(), at);
  }
  auto opened = StateStore::open(path("state"), {});
  if (!opened.ok()) {
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss);
    return;
  }
  const auto damaged = (*opened)->keys(1);
  std::string value;
  for (int i = 0; i < 2000 && damaged->is_healthy(); ++i) {
    damaged->get("key" + std::to_string(i), value);
  }
  EXPECT_FALSE(damaged->is_healthy());
  const absl::Status first = (*opened)->status();
  EXPECT_EQ(first.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(first.message()), HasSubstr(path("state")));
  damaged->put("a", "b");
  EXPECT_EQ(damaged->commit(), first);
  EXPECT_EQ((*opened)->flush(), first);
}

TEST_F(DISABLED_Child, FlushesWhatItMayNot) {
  auto store = StateStore::open(directory(), {});
  ASSERT_TRUE(store.ok()) << store.status();
  const auto keys = (*store)->keys(1);
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    std::string noise;
    for (int j = 0; j < 1000; ++j) noise += static_cast<char>(random.next());
    keys->put("key" + std::to_string(i), noise);
  }
  ASSERT_TRUE(keys->commit().ok());
  const absl::Status status = (*store)->flush();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ((*store)->flush(), status);
  EXPECT_EQ(keys->commit(), status);
}

TEST_F(StateStoreTest, AFailedFlushIsToldAndStays) {
  EXPECT_TRUE(passes_with_file_limit(64 * 1024, "FlushesWhatItMayNot", path("limited")));
}

}  // namespace
}  // namespace shoal::storage
