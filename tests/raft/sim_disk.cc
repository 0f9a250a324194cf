#include "tests/raft/sim_disk.h"

#include <algorithm>
#include <utility>

#include "shoal/assert.h"

namespace shoal::raft::sim {

bool DurableGroup::holds(Index index, Term term) const {
  if (state && index <= state->meta.index) return true;
  return index >= first && index <= last() && log[index - first].term == term;
}

Index DurableGroup::end() const { return std::max(last(), state ? state->meta.index : 0); }

Recovered DurableGroup::recover() {
  Recovered recovered;
  recovered.hard_state = hard_state;
  if (state) {
    const SnapshotMeta& meta = state->meta;
    const bool follows =
        (first == meta.index + 1) ||
        (meta.index >= first && meta.index <= last() && log[meta.index - first].term == meta.term);
    if (!follows) {
      first = meta.index + 1;
      log.clear();
    }
    recovered.snapshot = meta;
  }
  recovered.first = first;
  recovered.log.assign(log.begin(), log.end());
  return recovered;
}

std::vector<GroupId> SimDisk::groups() const {
  std::vector<GroupId> ids;
  for (const auto& [id, group] : groups_) {
    if (group.hard_state.term != 0 || group.state || !group.log.empty()) ids.push_back(id);
  }
  return ids;
}

void SimDisk::write(Effects::Persist persist) { waiting_.push_back(std::move(persist)); }

std::map<GroupId, uint64_t> SimDisk::finish_batch() {
  std::map<GroupId, uint64_t> done;
  for (; writing_ > 0; --writing_) {
    store(waiting_.front());
    done[waiting_.front().group] = waiting_.front().number;
    waiting_.pop_front();
  }
  return done;
}

void SimDisk::flush(GroupId id, const State& state) {
  DurableGroup& group = groups_[id];
  if (!group.state || group.state->meta.index < state.meta.index) group.state = state;
}

void SimDisk::cut(const Effects::Cut& cut) {
  DurableGroup& group = groups_[cut.group];
  while (group.first < cut.first && !group.log.empty()) {
    group.log.pop_front();
    ++group.first;
  }
}

void SimDisk::crash(Random& random) {
  size_t kept = random.below(waiting_.size() + 1);
  for (const Effects::Persist& persist : waiting_) {
    DurableGroup& group = groups_[persist.group];
    if (kept-- > 0) {
      store(persist);
      continue;
    }
    // The one that was being written when the power went.
    if (!persist.install || random.one_in(2)) break;
    store_first_part(group, persist);
    if (random.one_in(2)) store_installed(group, persist);
    break;
  }
  lose_unsynced();
}

void SimDisk::lose_unsynced() {
  waiting_.clear();
  writing_ = 0;
  staged_.clear();
}

void SimDisk::store(const Effects::Persist& persist) {
  DurableGroup& group = groups_[persist.group];
  store_first_part(group, persist);
  if (persist.forget) {
    group.state.reset();
    group.first = 1;
    group.log.clear();
  }
  if (!persist.install) return;
  store_installed(group, persist);
  store_emptied(group, persist);
}

void SimDisk::store_first_part(DurableGroup& group, const Effects::Persist& persist) {
  if (persist.hard_state) group.hard_state = *persist.hard_state;
  if (persist.first == 0) return;
  SHOAL_ASSERT(persist.first >= group.first && persist.first <= group.last() + 1);
  group.log.resize(persist.first - group.first);
  group.log.insert(group.log.end(), persist.entries.begin(), persist.entries.end());
}

void SimDisk::store_installed(DurableGroup& group, const Effects::Persist& persist) {
  const auto state = staged_[persist.group].find(persist.install->index);
  SHOAL_ASSERT(state != staged_[persist.group].end());
  group.state = state->second;
}

void SimDisk::store_emptied(DurableGroup& group, const Effects::Persist& persist) {
  group.first = persist.install->index + 1;
  group.log.clear();
}

void SimDisk::read(GroupId id, Index first, Index last, size_t bytes_max, std::vector<Entry>& out) {
  const DurableGroup& group = groups_[id];
  SHOAL_ASSERT(first >= group.first && first <= last && last <= group.last());
  size_t bytes = 0;
  for (Index index = first; index <= last && (index == first || bytes < bytes_max); ++index) {
    out.push_back(group.log[index - group.first]);
    bytes += out.back().size();
  }
}

}  // namespace shoal::raft::sim
