// What of a group's log is in memory.
#include "cluster/raft/group_log.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace shoal::raft {
namespace {

constexpr GroupId kGroup{};
constexpr size_t kAll = size_t{1} << 30;

// Gives nothing, and says what it was asked for.
class AskedStore : public LogReader {
 public:
  void read(GroupId, Index first, Index, size_t, std::vector<Entry>&) override {
    asked.push_back(first);
  }
  std::vector<Index> asked;
};

void append(GroupLog& log, Index first, Index last, size_t bytes) {
  std::vector<Entry> entries;
  const auto payload = std::make_shared<const std::vector<uint8_t>>(bytes);
  for (Index index = first; index <= last; ++index) {
    entries.push_back({index, 1, EntryKind::kCommand, payload});
  }
  log.replace(first, entries, 1);
}

// Whether the entry is in memory.
bool is_here(const GroupLog& log, Index index) {
  AskedStore store;
  std::vector<Entry> entries;
  log.read(kGroup, index, index, kAll, store, entries);
  EXPECT_EQ(store.asked.empty(), entries.size() == 1);
  return store.asked.empty();
}

TEST(GroupLog, FewEntriesStayWhenTheyAreLarge) {
  GroupLog log;
  log.start({});
  append(log, 1, 10, 1'000'000);
  log.forget(0);
  EXPECT_TRUE(is_here(log, 1));  // it is nowhere else
  log.forget(3);
  EXPECT_FALSE(is_here(log, 3));
  EXPECT_TRUE(is_here(log, 4));
  log.forget(10);
  EXPECT_FALSE(is_here(log, 6));
  EXPECT_TRUE(is_here(log, 7));  // the last 4 MB
  append(log, 9, 9, 10);         // in the place of 9 and 10
  append(log, 10, 10, 1'000'000);
  log.forget(10);
  EXPECT_TRUE(is_here(log, 7));
}

TEST(GroupLog, ManyEntriesStayWhenTheyAreSmall) {
  GroupLog log;
  log.start({});
  append(log, 1, 5'000, 10);
  log.forget(5'000);
  EXPECT_FALSE(is_here(log, 904));
  EXPECT_TRUE(is_here(log, 905));
}

}  // namespace
}  // namespace shoal::raft
