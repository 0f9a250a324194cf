// Where a replica keeps the state of its shard: its keys, copies of them for other replicas, and a copy
// from another that takes their place. RocksDB in cluster/storage; memory in tests.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "cluster/shard/key_values.h"

namespace shoal::shard {

// Keys behind `after` with their values, for a copy of the state: at least one, until there are none.
struct StatePortion {
  std::vector<std::pair<std::string, std::string>> items;
  bool done = false;
};
StatePortion read_portion(const KeyValues& values, std::string_view after, size_t bytes_max);

// A shard's keys as apply sees them: what was put is here at once, and in the store after commit().
// Void when a copy takes their place. One thread.
class ShardKeys : public KeyValues {
 public:
  // After each entry, or some: all or nothing of it is kept.
  virtual absl::Status commit() = 0;
  // Bytes in memory of what was put since the last commit, about.
  virtual size_t uncommitted() const = 0;
};

// A shard's keys as they were committed when this was made, whatever is committed since.
class StateReader {
 public:
  virtual ~StateReader() = default;
  // Keys behind `after`, which may be one that an earlier reader gave.
  virtual absl::StatusOr<StatePortion> portion(std::string_view after, size_t bytes_max) = 0;
};

// A copy that is written in portions. Given up, it leaves nothing.
class StateInstall {
 public:
  virtual ~StateInstall() = default;
  virtual absl::Status add(const StatePortion& portion) = 0;
  // Durable, and in the place of what the shard had.
  virtual absl::Status finish() = 0;
};

// Of one shard. What it gives does not outlive it.
class ShardDisk {
 public:
  virtual ~ShardDisk() = default;
  virtual std::unique_ptr<ShardKeys> keys() = 0;
  virtual std::unique_ptr<StateReader> reader() = 0;
  virtual std::unique_ptr<StateInstall> install() = 0;
};

}  // namespace shoal::shard
