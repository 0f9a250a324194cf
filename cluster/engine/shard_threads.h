// The replicas of a node at work, each on one of some threads: mail in, as much as waits; then what was
// applied of it is committed, and what came of it goes to the sink.
//
// What waits here is bounded by what feeds it: a group has apply_entries_max entries out, a node's
// requests are what its workers may have open, copies go portion by portion.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "cluster/engine/inbox.h"
#include "cluster/engine/state_flusher.h"
#include "cluster/engine/store_sink.h"
#include "cluster/replica/shard_host.h"
#include "cluster/replica/store.h"

namespace shoal::engine {

struct ShardReplica {
  uint32_t shard = 0;
  std::unique_ptr<shard::ShardDisk> disk;
  std::unique_ptr<replica::ShardHost> host;
};

class ShardThreads {
 public:
  using Clock = Now (*)();

  // Of a shard that gets its first mail: the node came to have a replica of it. On the shard's thread.
  using Make = std::function<ShardReplica(uint32_t shard)>;

  // Starts the threads. All outlive this.
  ShardThreads(std::vector<ShardReplica> replicas, int threads, Clock clock, Make make,
               StateFlusher& flusher, StoreSink& sink);
  ~ShardThreads();

  // Looks at a replica of a shard, on its thread.
  using Look = std::function<void(uint32_t shard, const replica::ShardServer&)>;

  // One thread at a time. Takes all.
  void post(std::vector<replica::StoreEffects::ToShard>& mails);
  // As post(). `look` for each replica, `done` after the last of them.
  void look(const Look& look, std::function<void()> done);
  // What waits is not worked off any more.
  void stop();

 private:
  class Worker;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace shoal::engine
