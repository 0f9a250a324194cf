// Writes what the Raft groups of a node want durable: all that waits in one write, with one sync, so
// that the slower the disk, the more one sync serves.
//
// The queue is bounded by what the groups have out: uncommitted_entries_max of each that leads, what
// leaders have sent and is not answered (inflight_entries_max) of each that follows.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "cluster/engine/inbox.h"
#include "cluster/engine/store_sink.h"
#include "cluster/raft/raft_events.h"
#include "cluster/storage/log_store.h"

namespace shoal::engine {

class LogWriter {
 public:
  // What a group's log says besides its entries.
  struct GroupState {
    raft::HardState hard_state;
    std::optional<raft::SnapshotMeta> snapshot;
  };

  // All outlive this.
  LogWriter(storage::LogStore& log, std::map<raft::GroupId, GroupState> groups, StoreSink& sink);

  // One thread at a time. Both in their order; takes them.
  void post(std::vector<raft::Effects::Persist>& persists, std::vector<raft::Effects::Cut>& cuts);
  // What waits is not written any more.
  void stop() { inbox_.close(); }

  // The writer's thread: until stop(), or until a write fails.
  void run();

 private:
  using Work = std::variant<raft::Effects::Persist, raft::Effects::Cut>;
  // What one write is made of.
  struct Batch {
    std::deque<std::vector<storage::LogEntry>> entries;  // that `writes` refer to
    std::vector<storage::LogWrite> writes;
    std::map<raft::GroupId, uint64_t> numbers;
    size_t bytes = 0;
  };

  bool write_some(std::span<const Work>& waiting);
  void add(const raft::Effects::Persist& persist, Batch& batch);
  void add(const raft::Effects::Cut& cut, Batch& batch);

  storage::LogStore& log_;
  StoreSink& sink_;
  Inbox<Work> inbox_;
  std::vector<Work> posted_;  // the memory of post(), which one thread at a time calls
  std::map<raft::GroupId, GroupState> groups_;
};

}  // namespace shoal::engine
