// What a node's data directory holds of the store, opened and checked against what it must hold.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cluster/core/store_plan.h"
#include "cluster/engine/log_writer.h"
#include "cluster/engine/shard_threads.h"
#include "cluster/storage/log_store.h"
#include "cluster/storage/retained_store.h"
#include "cluster/storage/state_store.h"

namespace shoal::engine {

struct OpeningOptions {
  std::string directory;  // of the node, which is there: log/, shards/ and retained/ are made in it
  storage::Durability durability = storage::Durability::kFsync;
  size_t write_buffer_bytes = storage::StateStoreOptions().write_buffer_bytes;
  size_t block_cache_bytes = storage::StateStoreOptions().block_cache_bytes;
  uint64_t seed = 0;       // of this process
  uint64_t copy_rate = 0;  // see ShardServer::Options
  // `bodies_bytes_max`: of all shards of the cluster together.
  shard::ShardLimits limits = shard::ShardState::default_limits();
};

struct OpenStore {
  std::unique_ptr<storage::LogStore> log;
  std::unique_ptr<storage::StateStore> state;  // goes before the log, which it syncs
  std::unique_ptr<storage::RetainedStore> retained;
  std::vector<ShardReplica> hosts;
  std::vector<StoredReplica> replicas;
  std::map<raft::GroupId, LogWriter::GroupState> groups;
};

// A replica on what the state store has of it, maybe nothing.
ShardReplica make_replica(const OpeningOptions& options, const StorePlan& plan,
                          storage::StateStore& state, uint32_t shard);

// The error says which directory, and why.
absl::StatusOr<OpenStore> open_store(const OpeningOptions& options, const StorePlan& plan);

}  // namespace shoal::engine
