#include "cluster/storage/log_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shoal/random.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr LogGroup kGroup{3, 1};
constexpr LogGroup kOther{3, 2};

LogEntry entry(uint64_t index, uint64_t term = 1) {
  return {index, term, 1, "payload of " + std::to_string(index) + " in " + std::to_string(term)};
}

std::vector<LogEntry> entries(uint64_t first, uint64_t last, uint64_t term = 1) {
  std::vector<LogEntry> out;
  for (uint64_t index = first; index <= last; ++index) out.push_back(entry(index, term));
  return out;
}

class LogStoreTest : public StorageTest {
 protected:
  LogStoreTest() { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = LogStore::open(path("log"), Durability::kFsync);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    auto recovered = store_->recover();
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    logs_ = *std::move(recovered);
  }
  absl::Status append(const std::vector<LogEntry>& entries, LogGroup group = kGroup) {
    const LogWrite write{.group = group, .first = entries.front().index, .entries = entries};
    return store_->write({&write, 1});
  }
  std::vector<LogEntry> read(uint64_t first, uint64_t last, size_t bytes_max = 1 << 20) {
    std::vector<LogEntry> out;
    const absl::Status status = store_->read(kGroup, first, last, bytes_max, out);
    EXPECT_TRUE(status.ok()) << status;
    return out;
  }
  // Opens what is there, which must fail, and says why.
  absl::Status refusal() {
    store_.reset();
    auto opened = LogStore::open(path("log"), Durability::kFsync);
    if (!opened.ok()) return opened.status();
    return (*opened)->recover().status();
  }

  std::unique_ptr<LogStore> store_;
  std::vector<RecoveredLog> logs_;
};

TEST_F(LogStoreTest, KeepsManyGroupsByOneWrite) {
  EXPECT_THAT(logs_, IsEmpty());
  const auto a = entries(1, 3), b = entries(7, 8, 5);
  const LogWrite writes[] = {
      {.group = kGroup, .state = LogState{4, 99, "snapshot"}, .first = 1, .entries = a},
      {.group = kOther, .first = 7, .entries = b},
      {.group = {9, 9}, .state = LogState{1, 0, ""}}};
  ASSERT_TRUE(store_->write(writes).ok());
  reopen();
  ASSERT_THAT(logs_, SizeIs(3));
  EXPECT_EQ(logs_[0].group, kGroup);
  EXPECT_EQ(logs_[0].state, (LogState{4, 99, "snapshot"}));
  EXPECT_EQ(logs_[0].entries, a);
  EXPECT_EQ(logs_[1].entries, b);
  EXPECT_EQ(logs_[2].group, (LogGroup{9, 9}));
  EXPECT_THAT(logs_[2].entries, IsEmpty());
}

TEST_F(LogStoreTest, EntriesTakeThePlaceOfAllFromTheirFirstOn) {
  const struct {
    uint64_t first, last, term;
    uint64_t end;  // the last afterwards
  } kRows[] = {{1, 9, 1, 9}, {5, 6, 2, 6}, {7, 7, 2, 7}, {2, 9, 3, 9}};
  for (const auto& row : kRows) {
    ASSERT_TRUE(append(entries(row.first, row.last, row.term)).ok());
    for (const bool after_restart : {false, true}) {
      if (after_restart) reopen();
      const std::vector<LogEntry> all = read(1, row.end);
      ASSERT_EQ(all.back().index, row.end);
      EXPECT_EQ(all[row.first - 1].term, row.term);
    }
    EXPECT_EQ(logs_[0].entries.back().index, row.end);
  }
  const LogWrite truncation{.group = kGroup, .first = 4};
  ASSERT_TRUE(store_->write({&truncation, 1}).ok());
  reopen();
  EXPECT_THAT(logs_[0].entries, SizeIs(3));
}

TEST_F(LogStoreTest, ReadsByBytesAndAtLeastOne) {
  ASSERT_TRUE(append(entries(1, 100)).ok());
  EXPECT_THAT(read(10, 20), SizeIs(11));
  EXPECT_THAT(read(10, 20, 1), SizeIs(1));
  const size_t size = entry(10).payload.size();
  EXPECT_THAT(read(10, 20, 3 * size), SizeIs(3));
}

TEST_F(LogStoreTest, ASnapshotClearsTheLog) {
  ASSERT_TRUE(append(entries(1, 100)).ok());
  ASSERT_TRUE(append(entries(1, 3), kOther).ok());
  const auto next = entries(501, 502, 7);
  const LogWrite write{.group = kGroup,
                       .state = LogState{7, 0, "at 500"},
                       .first = 501,
                       .entries = next,
                       .clear = true};
  ASSERT_TRUE(store_->write({&write, 1}).ok());
  reopen();
  EXPECT_EQ(logs_[0].entries, next);
  EXPECT_EQ(logs_[0].state.snapshot, "at 500");
  EXPECT_THAT(logs_[1].entries, SizeIs(3));
}

TEST_F(LogStoreTest, IsCutAtItsBeginning) {
  ASSERT_TRUE(append(entries(1, 100)).ok());
  const auto cut = [&](uint64_t first) {
    const LogWrite write{.group = kGroup, .state = LogState{1, 0, "at 70"}, .cut = first};
    return store_->write({&write, 1});
  };
  ASSERT_TRUE(cut(60).ok());
  ASSERT_TRUE(append(entries(101, 101)).ok());
  reopen();
  EXPECT_EQ(logs_[0].entries, entries(60, 101));
  EXPECT_EQ(logs_[0].state.snapshot, "at 70");
  ASSERT_TRUE(cut(70).ok() && cut(65).ok());
  reopen();
  EXPECT_EQ(logs_[0].entries, entries(70, 101));
  ASSERT_TRUE(cut(500).ok());
  reopen();
  EXPECT_THAT(logs_[0].entries, IsEmpty());
  ASSERT_TRUE(append(entries(102, 104)).ok() && cut(103).ok());
  reopen();
  EXPECT_EQ(logs_[0].entries, entries(103, 104));
  ASSERT_TRUE(store_->remove(kGroup).ok());
  reopen();
  EXPECT_THAT(logs_, IsEmpty());
}

TEST_F(LogStoreTest, LeavesOutPayloadsThatAreNotWanted) {
  std::vector<LogEntry> mixed = entries(1, 3);
  mixed[1].kind = 3;
  ASSERT_TRUE(append(mixed).ok());
  store_.reset();
  auto opened = LogStore::open(path("log"), Durability::kFsync);
  ASSERT_TRUE(opened.ok());
  const auto logs = (*opened)->recover([](uint8_t kind) { return kind == 3; });
  ASSERT_TRUE(logs.ok());
  EXPECT_EQ(logs->at(0).entries[0], (LogEntry{1, 1, 1, ""}));
  EXPECT_EQ(logs->at(0).entries[1], mixed[1]);
}

TEST_F(LogStoreTest, WhatIsMissingIsAnErrorThatStays) {
  ASSERT_TRUE(append(entries(1, 5)).ok());
  std::vector<LogEntry> out;
  const absl::Status first = store_->read(kGroup, 4, 9, 1 << 20, out);
  EXPECT_EQ(first.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(first.message()), HasSubstr("entry 6 of shard 3.1 is missing"));
  EXPECT_EQ(append(entries(6, 6)), first);
  EXPECT_EQ(store_->sync(), first);
  EXPECT_EQ(store_->status(), first);
}

TEST_F(LogStoreTest, AGapAmongEntriesRefusesToOpen) {
  ASSERT_TRUE(append(entries(1, 3)).ok());
  ASSERT_TRUE(append(entries(5, 6)).ok());
  const absl::Status status = refusal();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("entries before entry 5 of shard 3.1 are missing"));
}

TEST_F(LogStoreTest, ATermThatFallsRefusesToOpen) {
  ASSERT_TRUE(append(entries(1, 3, 5)).ok());
  ASSERT_TRUE(append(entries(4, 4, 4)).ok());
  EXPECT_EQ(refusal().code(), absl::StatusCode::kDataLoss);
}

// ---- damage

TEST_F(LogStoreTest, AnIncompleteLastRecordIsGoneAndNothingElse) {
  for (uint64_t index = 1; index <= 20; ++index) ASSERT_TRUE(append(entries(index, index)).ok());
  store_.reset();
  const std::filesystem::path log = last_file(path("log"), ".log");
  // As when the machine stopped while the last one was written.
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 5);
  reopen();
  EXPECT_EQ(logs_[0].entries, entries(1, 19));
  ASSERT_TRUE(append(entries(20, 20, 2)).ok());
  reopen();
  EXPECT_THAT(logs_[0].entries, SizeIs(20));
}

// Any byte of it, but those of the last record, which may as well have been cut short: also a length
// that makes all behind it look like the rest of one write.
TEST_F(LogStoreTest, ADamagedRecordRefusesToOpenAndSaysWhere) {
  for (uint64_t index = 1; index <= 20; ++index) ASSERT_TRUE(append(entries(index, index)).ok());
  store_.reset();
  const std::filesystem::path log = last_file(path("log"), ".log");
  const uint64_t size = std::filesystem::file_size(log);
  const uint64_t record = size / 20;
  for (uint64_t at = record * 9; at < record * 11; ++at) {
    flip_byte(log, at);
    const absl::Status status = refusal();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << at << " of " << size << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path("log")));
    flip_byte(log, at);
  }
  reopen();
  EXPECT_EQ(logs_[0].entries, entries(1, 20));
}

TEST_F(LogStoreTest, AMissingTableRefusesToOpen) {
  ASSERT_TRUE(append(entries(1, 20)).ok());
  reopen();  // moves what the log held into a table
  store_.reset();
  std::filesystem::remove(last_file(path("log"), ".sst"));
  EXPECT_FALSE(refusal().ok());
}

TEST_F(LogStoreTest, WithoutTheRightToWriteItSaysWhichDirectory) {
  store_.reset();
  std::ofstream(path("file")) << "x";
  const auto opened = LogStore::open(path("file"), Durability::kFsync);
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr(path("file")));
}

TEST_F(DISABLED_Child, WritesUntilItMayNot) {
  auto store = LogStore::open(directory(), Durability::kFsync);
  ASSERT_TRUE(store.ok() && (*store)->recover().ok());
  absl::Status status;
  uint64_t index = 0;
  for (; status.ok() && index < 1000; ++index) {
    const LogEntry big{index + 1, 1, 1, std::string(1000, 'x')};
    const LogWrite write{.group = kGroup, .first = index + 1, .entries = {&big, 1}};
    status = (*store)->write({&write, 1});
  }
  EXPECT_GT(index, 10u);
  ASSERT_FALSE(status.ok());
  const LogEntry small = entry(index);
  const LogWrite write{.group = kGroup, .first = index, .entries = {&small, 1}};
  EXPECT_EQ((*store)->write({&write, 1}), status);
  EXPECT_EQ((*store)->status(), status);
}

TEST_F(LogStoreTest, AFailedWriteIsToldAndStays) {
  EXPECT_TRUE(passes_with_file_limit(64 * 1024, "WritesUntilItMayNot", path("limited")));
}

// ---- kill -9

TEST_F(DISABLED_Child, AppendsToTwoGroups) {
  auto store = LogStore::open(directory(), Durability::kFsync);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto logs = (*store)->recover();
  ASSERT_TRUE(logs.ok()) << logs.status();
  uint64_t index = logs->empty() ? 0 : logs->at(0).entries.back().index;
  for (;;) {
    ++index;
    const LogEntry one = entry(index, index);
    const LogWrite writes[] = {{.group = kGroup,
                                .state = LogState{index, index, ""},
                                .first = index,
                                .entries = {&one, 1}},
                               {.group = kOther, .first = index, .entries = {&one, 1}}};
    ASSERT_TRUE((*store)->write(writes).ok());
    report(index);
  }
}

TEST_F(LogStoreTest, WhatWasAnsweredIsThereAfterAKill) {
  Random random(7);
  uint64_t last = 0;
  for (int round = 0; round < 4; ++round) {
    const uint64_t told =
        kill_at(last + 20 + random.below(60), "AppendsToTwoGroups", path("killed"));
    auto store = LogStore::open(path("killed"), Durability::kFsync);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto logs = (*store)->recover();
    ASSERT_TRUE(logs.ok()) << logs.status();
    ASSERT_THAT(*logs, SizeIs(2));
    last = logs->at(0).entries.back().index;
    EXPECT_GE(last, told);
    EXPECT_EQ(logs->at(0).state.term, last);
    EXPECT_EQ(logs->at(0).entries, logs->at(1).entries) << "half of a write";
    EXPECT_THAT(logs->at(0).entries, SizeIs(last));
  }
}

}  // namespace
}  // namespace shoal::storage
