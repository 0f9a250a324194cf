// What a group keeps in memory of its log: the terms of all entries, the changes of configuration,
// and the last entries whole. Older entries are read back from the store, which has them by then.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "cluster/raft/log_terms.h"
#include "cluster/raft/raft_events.h"
#include "cluster/raft/types.h"

namespace shoal::raft {

// The log that whoever carries out the effects keeps.
class LogReader {
 public:
  virtual ~LogReader() = default;
  // Appends the entries first..last, or fewer once they have `bytes_max` bytes, but at least one. All
  // of them are durable and not cut. One call a message or a batch to apply, on the caller's thread.
  // None: the store has failed, and its node is about to end.
  virtual void read(GroupId group, Index first, Index last, size_t bytes_max,
                    std::vector<Entry>& out) = 0;
};

class GroupLog {
 public:
  void start(const Recovered& recovered);

  Index first() const { return terms_.first(); }
  Index last() const { return terms_.last(); }
  Term term_of(Index index) const { return terms_.term_of(index); }

  // Entries that write `number` puts in place of everything from `first` on.
  void replace(Index first, std::span<const Entry> entries, uint64_t number);
  // The highest index up to which everything behind `from` was written by writes up to `number`, and
  // not rewritten since.
  Index written_to(Index from, uint64_t number) const;
  // A snapshot takes the place of the whole log, or is taken and leaves the last `trailing` entries
  // before it.
  void install(const SnapshotMeta& meta);
  void snapshot(const SnapshotMeta& meta, unsigned trailing);

  // The entries first..last as LogReader::read() gives them, from memory where they are.
  void read(GroupId group, Index first, Index last, size_t bytes_max, LogReader& store,
            std::vector<Entry>& out) const;
  // Entries up to `durable` are in the store: of them only the last few stay here.
  void forget(Index durable);

  struct Change {
    Index index;
    Configuration configuration;
  };
  // The last one up to `index`, or null when there is none.
  const Change* configuration_at(Index index) const;
  const Change* next_change(Index behind) const;

 private:
  struct Slot {
    Entry entry;
    uint64_t write;
  };

  Index tail_first() const { return last() + 1 - tail_.size(); }
  void drop_first();
  void drop_last();

  LogTerms terms_;
  std::deque<Slot> tail_;
  size_t tail_bytes_ = 0;
  std::deque<Change> changes_;
};

}  // namespace shoal::raft
