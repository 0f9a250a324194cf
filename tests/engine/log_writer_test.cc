// What groups want written, as a restart finds it.
#include "cluster/engine/log_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "cluster/engine/log_records.h"
#include "cluster/raft/wire.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::engine {
namespace {

using raft::Effects;
using raft::EntryKind;
using raft::GroupId;
using raft::SnapshotMeta;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr GroupId kGroup{3, 1};
constexpr GroupId kOther{4, 1};

raft::Configuration voters() { return {{{{1}}, {{2}}, {{3}}}}; }

SnapshotMeta state_at(raft::Index index, raft::Term term) { return {index, term, 1, voters()}; }

raft::Entry command(raft::Index index, raft::Term term) {
  const std::string text = "entry " + std::to_string(index);
  return {index, term, EntryKind::kCommand,
          std::make_shared<const std::vector<uint8_t>>(text.begin(), text.end())};
}

class LogWriterTest : public storage::StorageTest, protected StoreSink {
 protected:
  // Writes all that was asked for; the groups begin as the log has them.
  void write() {
    auto store = storage::LogStore::open(path("log"), storage::Durability::kFsync);
    ASSERT_TRUE(store.ok()) << store.status();
    std::map<GroupId, LogWriter::GroupState> groups;
    for (auto& [group, recovered] : recover(**store)) {
      groups[group] = {recovered.hard_state, recovered.snapshot};
    }
    LogWriter writer(**store, groups, *this);
    writer.post(persists_, cuts_);
    std::thread thread([&] { writer.run(); });
    // A write of its own tells that those before it are done.
    persists_.push_back({{99, 1}, ++last_, raft::HardState{1, {}}, 0, {}, {}});
    writer.post(persists_, cuts_);
    while (reports() < last_ && failure_.empty()) std::this_thread::yield();
    writer.stop();
    thread.join();
    EXPECT_EQ(failure_, "");
  }
  std::map<GroupId, raft::Recovered> recover(storage::LogStore& store) {
    std::map<GroupId, raft::Recovered> found;
    auto logs = store.recover(wants_payload);
    EXPECT_TRUE(logs.ok()) << logs.status();
    for (storage::RecoveredLog& each : *logs) {
      const GroupId group = group_id_of(each.group);
      if (group.shard == 99) continue;
      auto recovered = recovered_of(std::move(each));
      EXPECT_TRUE(recovered.ok()) << recovered.status();
      found[group] = *recovered;
    }
    return found;
  }
  raft::Recovered recovered(GroupId group = kGroup) {
    auto store = storage::LogStore::open(path("log"), storage::Durability::kFsync);
    EXPECT_TRUE(store.ok()) << store.status();
    return recover(**store)[group];
  }
  void append(raft::Index first, raft::Index last, raft::Term term, GroupId group = kGroup) {
    Effects::Persist persist{group, ++numbers_[group], raft::HardState{term, {2}}, first, {}, {}};
    for (raft::Index index = first; index <= last; ++index) {
      persist.entries.push_back(command(index, term));
    }
    if (first == 1) persist.entries[0] = {1, term, EntryKind::kChange, raft::encode(voters())};
    persists_.push_back(std::move(persist));
  }

  void on_store_open(std::vector<StoredReplica>, StoredRetained, raft::LogReader&) override {}
  void on_retained_written(uint64_t) override {}
  void on_store_failed(std::string why) override { failure_ = std::move(why); }
  void on_hosts(std::vector<Host>) override {}
  void on_persisted(std::vector<Persisted> persisted) override {
    for (const Persisted& each : persisted) {
      if (each.group.shard == 99) done_ = each.number;
      persisted_[each.group] = each.number;
    }
  }
  void on_flushed(std::vector<Flushed>) override {}
  uint64_t reports() const { return done_; }

  std::vector<Effects::Persist> persists_;
  std::vector<Effects::Cut> cuts_;
  std::map<GroupId, uint64_t> numbers_;
  std::map<GroupId, uint64_t> persisted_;
  std::string failure_;
  uint64_t last_ = 0;
  std::atomic<uint64_t> done_ = 0;
};

TEST_F(LogWriterTest, TellsTheHighestNumberOfEachGroup) {
  append(1, 5, 1);
  append(1, 2, 1, kOther);
  append(4, 6, 2);  // rewrites
  write();
  EXPECT_EQ(persisted_[kGroup], 2u);
  EXPECT_EQ(persisted_[kOther], 1u);
  const raft::Recovered found = recovered();
  EXPECT_EQ(found.hard_state, (raft::HardState{2, {2}}));
  EXPECT_EQ(found.first, 1u);
  ASSERT_THAT(found.log, SizeIs(6));
  EXPECT_EQ(found.log[2].term, 1u);
  EXPECT_EQ(found.log[3].term, 2u);
  EXPECT_EQ(raft::decode_configuration(raft::bytes_of(found.log[0].payload)), voters());
  EXPECT_EQ(found.log[1].payload, nullptr);
  EXPECT_EQ(recovered(kOther).log.size(), 2u);
}

TEST_F(LogWriterTest, ACutKeepsWhatTheStateSaysOfItself) {
  append(1, 20, 1);
  cuts_.push_back({kGroup, state_at(15, 1), 11});
  write();
  raft::Recovered found = recovered();
  EXPECT_EQ(found.snapshot, state_at(15, 1));
  EXPECT_EQ(found.first, 11u);
  EXPECT_THAT(found.log, SizeIs(10));
  EXPECT_EQ(found.hard_state, (raft::HardState{1, {2}}));
  // A later term does not lose it, nor does an older cut take its place.
  append(21, 22, 3);
  cuts_.push_back({kGroup, state_at(12, 1), 11});
  write();
  found = recovered();
  EXPECT_EQ(found.snapshot, state_at(15, 1));
  EXPECT_EQ(found.hard_state.term, 3u);
}

TEST_F(LogWriterTest, AnInstallationEmptiesTheLog) {
  append(1, 20, 1);
  persists_.push_back(
      {kGroup, ++numbers_[kGroup], raft::HardState{4, {}}, 0, {}, state_at(500, 4)});
  write();
  raft::Recovered found = recovered();
  EXPECT_EQ(found.snapshot, state_at(500, 4));
  EXPECT_EQ(found.first, 501u);
  EXPECT_THAT(found.log, IsEmpty());
  append(501, 503, 4);
  write();
  found = recovered();
  EXPECT_EQ(found.first, 501u);
  EXPECT_THAT(found.log, SizeIs(3));
}

// It begins with nothing, and goes on from there.
TEST_F(LogWriterTest, AGroupIsForgottenButForItsVote) {
  append(1, 20, 3);
  cuts_.push_back({kGroup, state_at(15, 3), 11});
  write();
  persists_.push_back({kGroup, 0, raft::HardState{3, {2}}, 0, {}, {}, true});
  write();
  EXPECT_EQ(persisted_[kGroup], 0u);
  const raft::Recovered found = recovered();
  EXPECT_EQ(found.hard_state, (raft::HardState{3, {2}}));
  EXPECT_FALSE(found.snapshot);
  EXPECT_EQ(found.first, 1u);
  EXPECT_THAT(found.log, IsEmpty());
  append(1, 2, 4);
  write();
  EXPECT_THAT(recovered().log, SizeIs(2));
}

// ---- what no group wrote

TEST(LogRecords, RefusesWhatCannotBe) {
  const auto log = [](raft::Index first, raft::Index last) {
    storage::RecoveredLog log{{3, 1}, {5, 0, {}}, {}};
    for (raft::Index index = first; index <= last; ++index) {
      log.entries.push_back(log_entry_of(command(index, 5)));
    }
    return log;
  };
  const auto refusal = [](storage::RecoveredLog log) {
    const absl::Status status = recovered_of(std::move(log)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    return std::string(status.message());
  };
  const auto with_state = [&](storage::RecoveredLog of, const SnapshotMeta& meta) {
    of.state.snapshot = snapshot_text_of(meta);
    return of;
  };
  EXPECT_TRUE(recovered_of(log(1, 9)).ok());
  EXPECT_TRUE(recovered_of(with_state(log(1, 9), state_at(9, 5))).ok());
  EXPECT_TRUE(recovered_of(with_state(log(5, 9), state_at(4, 2))).ok());

  EXPECT_THAT(refusal(log(2, 9)), HasSubstr("shard 3 is damaged: entries before 2 are missing"));
  EXPECT_THAT(refusal(with_state(log(6, 9), state_at(4, 2))), HasSubstr("the log from 6 to 9"));
  EXPECT_THAT(refusal(with_state(log(5, 9), state_at(10, 5))), HasSubstr("as of 10"));
  EXPECT_THAT(refusal(with_state(log(5, 9), state_at(7, 4))), HasSubstr("of another term"));
  storage::RecoveredLog of_state = log(1, 9);
  of_state.state.snapshot = "?";
  EXPECT_THAT(refusal(of_state), HasSubstr("damaged"));
  storage::RecoveredLog old_term = log(1, 9);
  old_term.state.term = 4;
  EXPECT_THAT(refusal(old_term), HasSubstr("entry 1 is of term 5"));
  storage::RecoveredLog kind = log(1, 9);
  kind.entries[3].kind = 9;
  EXPECT_THAT(refusal(kind), HasSubstr("entry 4 cannot be read"));
  storage::RecoveredLog change = log(1, 9);
  change.entries[3].kind = static_cast<uint8_t>(EntryKind::kChange);
  EXPECT_THAT(refusal(change), HasSubstr("entry 4 cannot be read"));
}

}  // namespace
}  // namespace shoal::engine
