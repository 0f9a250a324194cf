// What one node's store stands on in a simulator: the disks of its log and of its shards' states, the
// thread that writes the log, the threads of its ShardHosts, and the flushing of states. Given what a
// Store wants done it does that, each in its own time, and reports what came of it.
//
// A crash ends the process: the threads and what was not durable go, the rest is found by the next
// open(). While it is frozen nothing happens; what was to happen follows at once when it goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/replica/shard_host.h"
#include "cluster/replica/store.h"
#include "cluster/shard/key_values.h"
#include "tests/raft/sim_disk.h"
#include "tests/replica/memory_disk.h"
#include "tests/sim/world.h"

namespace shoal::replica::test {

using shoal::sim::World;

class SimStore {
 public:
  // Of the cluster, and of this process.
  struct Options {
    uint32_t shards = 1;
    uint64_t cluster_seed = 0;
    size_t unread_bytes = ShardServer::Options().unread_bytes;
    std::function<Now()> now;
    Duration wake{40'000};  // until a thread looks at what is for it, mostly
  };
  // Called from the threads here: whoever gets them queues them for the hub's, all in one order.
  struct Reports {
    std::function<void(uint32_t shard, HostEffects&&)> on_host;
    std::function<void(raft::GroupId, uint64_t number)> on_persisted;
    std::function<void(uint32_t shard, raft::Index)> on_flushed;
    // For checkers: the state as of `index` has this hash.
    std::function<void(uint32_t shard, raft::Index, uint64_t hash)> on_applied;
  };

  explicit SimStore(World& world) : world_(world) {}

  // ---- the disk, while no process has it open
  // The log of a founding member; durable at once.
  void found(raft::GroupId group, const raft::Configuration& voters);
  // Instead of what it has: a state, and an empty log behind it.
  void restore(raft::GroupId group, const raft::SnapshotMeta& meta,
               const shard::MemoryKeyValues& values);
  bool has(raft::GroupId group) const;
  void wipe();
  // A replica as it is there.
  struct Held {
    raft::GroupId group;
    raft::Recovered log;
    shard::MemoryKeyValues state;
  };
  std::vector<Held> held();
  // Where nothing is of its shard.
  void put(const Held& held);

  // ---- a process
  void open(const Options& options, Reports reports);
  // Every group that the log has.
  std::vector<std::pair<raft::GroupId, raft::Recovered>> recover();
  raft::LogReader& log() { return disk_; }
  // Takes `servers`, `raft.persists` and `raft.cuts`.
  void carry_out(StoreEffects& effects);

  // ---- what can befall it
  void crash();
  void freeze() { is_frozen_ = true; }
  void unfreeze();
  // Syncs take long for a while.
  void slow_down(Duration for_so_long) { slow_until_ = world_.now() + for_so_long; }

  bool is_open() const { return process_ != nullptr; }
  // Null: no replica of this shard.
  const ShardServer* server(uint32_t shard) const;
  // Copies of states that took the place of the own, in all lives.
  uint64_t installed() const { return installed_; }

 private:
  using Task = std::function<void()>;
  struct Replica {
    uint32_t shard = 0;
    std::unique_ptr<MemoryDisk> disk;
    std::unique_ptr<ShardHost> host;
    std::deque<ToServer> inbox;
    bool is_due = false;  // its thread will run
  };
  struct Process {
    Options options;
    Reports reports;
    std::map<uint32_t, Replica> replicas;
    bool is_flushing = false;
    std::vector<Task> held;  // since it is frozen
  };

  void later(Duration delay, Task what);
  // Of this process; made when first asked for, as one of a group that this node joins.
  Replica& replica(uint32_t shard);
  void to_server(uint32_t shard, ToServer&& mail);
  void run_soon(Replica& replica);
  void run(Replica& replica);
  void tick();
  void write();
  Duration sync_time();
  void flush_later();
  void begin_flush();
  void end_flush(const std::map<uint32_t, raft::Index>& committed);
  void cut(const raft::Effects::Cut& cut);

  World& world_;
  raft::sim::SimDisk disk_;
  std::map<uint32_t, shard::MemoryKeyValues> states_;  // as they were flushed
  uint64_t life_ = 0;                                  // what was planned in another is void
  bool is_frozen_ = false;
  Instant slow_until_{};
  uint64_t installed_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace shoal::replica::test
