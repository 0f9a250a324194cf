#include "cluster/replica/groups.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace shoal::replica {
namespace {

constexpr NodeId kSelf{1};
constexpr raft::GroupId kGroup{0, 7};
constexpr size_t kUncommitted = 66;  // a batch, and some

// What was persisted, whose entries are read from there.
class Log : public raft::LogReader {
 public:
  void read(raft::GroupId, raft::Index first, raft::Index last, size_t,
            std::vector<raft::Entry>& out) override {
    for (const raft::Entry& each : entries) {
      if (each.index >= first && each.index <= last) out.push_back(each);
    }
  }
  std::vector<raft::Entry> entries;
};

// One server, which leads as soon as its log is durable, and takes kUncommitted entries that are not.
class GroupsTest : public testing::Test {
 protected:
  GroupsTest()
      : groups_({.self = kSelf, .shards = 1, .uncommitted_entries_max = kUncommitted}, log_) {
    raft::Configuration alone;
    alone.servers.push_back({kSelf, raft::Role::kVoter});
    const raft::Recovered founded = raft::RaftGroup::founded(alone);
    log_.entries = founded.log;
    groups_.add(kGroup, founded, now_);
    for (int i = 0; i < 100 && !groups_.find(0)->role().serving; ++i) {
      now_ = now_ + Duration::millis(100);
      groups_.on_tick(now_);
      settle();
    }
  }

  // Until nothing comes of it any more.
  void settle() {
    for (bool is_more = true; is_more;) {
      const raft::Effects effects = std::exchange(groups_.end_turn().raft, {});
      is_more = !effects.persists.empty() || !effects.applies.empty();
      for (const auto& persist : effects.persists) {
        log_.entries.insert(log_.entries.end(), persist.entries.begin(), persist.entries.end());
        groups_.on_persisted(kGroup, persist.number, now_);
      }
      for (const auto& apply : effects.applies) {
        for (const raft::Entry& each : apply.entries) note(each);
        groups_.on_applied(0, apply.entries.back().index, now_);
      }
    }
  }

  void note(const raft::Entry& entry) {
    if (entry.kind != raft::EntryKind::kCommand || !entry.payload) return;
    const std::string text(entry.payload->begin(), entry.payload->end());
    if (!text.empty()) applied_.push_back(text);
  }

  Log log_;
  Instant now_{};
  Groups groups_;
  std::vector<std::string> applied_;
};

// A leader that has too much uncommitted takes no more. The rest waits for its turn, and none is lost.
TEST_F(GroupsTest, WhatABusyGroupRefusesIsSubmittedAgain) {
  ASSERT_TRUE(groups_.find(0)->role().serving);
  std::vector<std::string> entries;
  for (size_t i = 0; i < 3 * kUncommitted; ++i) entries.push_back(std::to_string(i));
  groups_.on_entries(0, groups_.find(0)->role().term, entries, now_);
  EXPECT_GE(groups_.waiting(0), 2 * kUncommitted);
  settle();
  EXPECT_EQ(groups_.waiting(0), 0u);
  EXPECT_EQ(applied_, entries);
}

}  // namespace
}  // namespace shoal::replica
