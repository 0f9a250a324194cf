#include "cluster/raft/group_log.h"

#include <algorithm>

#include "cluster/raft/wire.h"
#include "shoal/assert.h"

namespace shoal::raft {
namespace {

// Enough for followers that are in step; a lagging one is served from the store. An entry may hold one
// op or a thousand, so entries alone bound nothing.
constexpr size_t kTailEntriesMax = 4096;
constexpr size_t kTailBytesMax = size_t{4} * 1024 * 1024;

Configuration configuration_of(const Entry& change) {
  std::optional<Configuration> configuration = decode_configuration(bytes_of(change.payload));
  SHOAL_ASSERT(configuration.has_value());
  return *std::move(configuration);
}

}  // namespace

void GroupLog::start(const Recovered& recovered) {
  terms_.reset(recovered.first - 1, 0);
  if (recovered.snapshot) {
    const SnapshotMeta& snapshot = *recovered.snapshot;
    terms_.snapshot(snapshot.index, snapshot.term);
    changes_.push_back({snapshot.configuration_index, snapshot.configuration});
  }
  for (const Entry& entry : recovered.log) {
    SHOAL_ASSERT(entry.index == terms_.last() + 1);
    terms_.append(entry.term);
    const bool is_newer = changes_.empty() || entry.index > changes_.back().index;
    if (entry.kind == EntryKind::kChange && is_newer) {
      changes_.push_back({entry.index, configuration_of(entry)});
    }
  }
}

void GroupLog::replace(Index first, std::span<const Entry> entries, uint64_t number) {
  SHOAL_ASSERT(first >= this->first() && first <= last() + 1);
  while (!tail_.empty() && tail_.back().entry.index >= first) drop_last();
  while (!changes_.empty() && changes_.back().index >= first) changes_.pop_back();
  terms_.truncate(first);
  for (const Entry& entry : entries) {
    SHOAL_ASSERT(entry.index == last() + 1);
    terms_.append(entry.term);
    tail_.push_back({entry, number});
    tail_bytes_ += entry.size();
    if (entry.kind == EntryKind::kChange)
      changes_.push_back({entry.index, configuration_of(entry)});
  }
}

Index GroupLog::written_to(Index from, uint64_t number) const {
  SHOAL_ASSERT(from + 1 >= tail_first());  // what is not in the tail is durable
  Index index = from;
  for (size_t at = from + 1 - tail_first(); at < tail_.size(); ++at) {
    if (tail_[at].write > number) break;
    index = tail_[at].entry.index;
  }
  return index;
}

void GroupLog::install(const SnapshotMeta& meta) {
  terms_.reset(meta.index, meta.term);
  tail_.clear();
  tail_bytes_ = 0;
  changes_.clear();
  changes_.push_back({meta.configuration_index, meta.configuration});
}

void GroupLog::snapshot(const SnapshotMeta& meta, unsigned trailing) {
  terms_.snapshot(meta.index, meta.term);
  while (changes_.size() > 1 && changes_[1].index <= meta.index) changes_.pop_front();
  if (meta.index <= trailing || meta.index - trailing < first()) return;
  terms_.cut(meta.index - trailing + 1);
  while (!tail_.empty() && tail_.front().entry.index < first()) drop_first();
}

void GroupLog::read(GroupId group, Index first, Index last, size_t bytes_max, LogReader& store,
                    std::vector<Entry>& out) const {
  SHOAL_ASSERT(first >= this->first() && first <= last && last <= this->last());
  if (first < tail_first()) {
    store.read(group, first, std::min(last, tail_first() - 1), bytes_max, out);
    return;
  }
  size_t bytes = 0;
  for (Index index = first; index <= last && (index == first || bytes < bytes_max); ++index) {
    out.push_back(tail_[index - tail_first()].entry);
    bytes += out.back().size();
  }
}

void GroupLog::forget(Index durable) {
  while (!tail_.empty() && tail_.front().entry.index <= durable &&
         (tail_.size() > kTailEntriesMax || tail_bytes_ > kTailBytesMax)) {
    drop_first();
  }
}

void GroupLog::drop_first() {
  tail_bytes_ -= tail_.front().entry.size();
  tail_.pop_front();
}

void GroupLog::drop_last() {
  tail_bytes_ -= tail_.back().entry.size();
  tail_.pop_back();
}

const GroupLog::Change* GroupLog::configuration_at(Index index) const {
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), index,
                       [](Index wanted, const Change& change) { return wanted < change.index; });
  return after == changes_.begin() ? nullptr : &*std::prev(after);
}

const GroupLog::Change* GroupLog::next_change(Index behind) const {
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), behind,
                       [](Index wanted, const Change& change) { return wanted < change.index; });
  return after == changes_.end() ? nullptr : &*after;
}

}  // namespace shoal::raft
