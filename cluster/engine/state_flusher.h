// Makes the states of a node's shards durable from time to time, so that logs can be cut and a restart
// has little to apply again. Whatever is not flushed is in the logs: when it happens is a matter of
// cost alone. Nothing is flushed while nothing is applied.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "cluster/engine/store_sink.h"
#include "cluster/storage/state_store.h"

namespace shoal::engine {

// A flush comes when one of these is reached since the last. Each takes some 10 ms (and as many syncs)
// whatever there is to flush; a restart applies about 100,000 ops a second.
struct FlushPace {
  Duration interval = Duration::seconds(5);
  uint64_t applied_bytes = uint64_t{16} * 1024 * 1024;
  uint64_t applied_entries = 20'000;
};

class StateFlusher {
 public:
  // What a replica has applied and committed to the state store.
  struct Progress {
    uint32_t shard = 0;
    raft::Index committed = 0;
    uint64_t bytes = 0;
    uint64_t entries = 0;
  };

  // All outlive this.
  StateFlusher(storage::StateStore& state, const FlushPace& pace, StoreSink& sink);

  // Any thread, once the sink has what came of it.
  void note(const std::vector<Progress>& progress);
  void stop();

  // The flusher's thread: until stop(), or until a flush fails.
  void run();

 private:
  bool is_due() const;

  storage::StateStore& state_;
  const FlushPace pace_;
  StoreSink& sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint32_t, raft::Index> committed_;  // by shard, since the last flush
  uint64_t bytes_ = 0;
  uint64_t entries_ = 0;
  bool is_stopping_ = false;
};

}  // namespace shoal::engine
