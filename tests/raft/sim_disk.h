// A node's disk: what of its groups is durable, and what is still on its way. One log writer serves all
// groups with one write and one sync a batch, as in a real node. A crash keeps some first part of what
// was on its way, and of an installation perhaps only the state without the emptied log.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "cluster/raft/group_log.h"
#include "cluster/raft/raft_events.h"
#include "shoal/random.h"

namespace shoal::raft::sim {

// What a replica's state machine comes to: a hash over every entry applied. Equal hashes, equal states.
struct State {
  SnapshotMeta meta;
  uint64_t hash = 0;
};

struct DurableGroup {
  HardState hard_state;
  std::optional<State> state;
  Index first = 1;
  std::deque<Entry> log;

  Index last() const { return first + log.size() - 1; }
  // Whether an entry of this index and term is safe here, in the log or in the state.
  bool holds(Index index, Term term) const;
  Index end() const;  // of what is safe
  // What a start finds; a log that does not follow the state is emptied first.
  Recovered recover();
};

class SimDisk : public LogReader {
 public:
  DurableGroup& group(GroupId id) { return groups_[id]; }
  // Of which anything is durable.
  std::vector<GroupId> groups() const;
  // States that were streamed here whole, by index; gone after a crash.
  std::map<Index, State>& staged(GroupId id) { return staged_[id]; }

  void write(Effects::Persist persist);
  bool is_idle() const { return writing_ == 0; }
  bool has_waiting() const { return waiting_.size() > writing_; }
  void begin_batch() { writing_ = waiting_.size(); }
  void begin_batch(size_t writes) { writing_ = writes; }
  // The batch is durable: the highest number of each group in it.
  std::map<GroupId, uint64_t> finish_batch();

  void flush(GroupId id, const State& state);
  void cut(const Effects::Cut& cut);
  void crash(Random& random);
  void lose_unsynced();

  void read(GroupId id, Index first, Index last, size_t bytes_max,
            std::vector<Entry>& out) override;

 private:
  static void store_first_part(DurableGroup& group, const Effects::Persist& persist);
  void store_installed(DurableGroup& group, const Effects::Persist& persist);
  static void store_emptied(DurableGroup& group, const Effects::Persist& persist);
  void store(const Effects::Persist& persist);

  std::map<GroupId, DurableGroup> groups_;
  std::map<GroupId, std::map<Index, State>> staged_;
  std::deque<Effects::Persist> waiting_;
  size_t writing_ = 0;  // of them, the first so many
};

}  // namespace shoal::raft::sim
