// The states of all shards of a node. Nothing here is durable by itself: a state is what was applied
// up to some index, and after a start the log is applied from there on. What was committed becomes
// durable as a whole, by flush() or when RocksDB sees fit; always all that one commit() held or none,
// and of two commits never the later alone. So the index that a state holds with its other keys is
// true of them.
//
// A shard's keys have its number and a generation before them. A copy of a state is staged under the
// next generation and takes the place of the old one by one write.
//
// An error stays: from then on every call answers with the first one, and nothing more is committed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "cluster/shard/shard_disk.h"

namespace shoal::storage {

using shard::ShardKeys;
using shard::StateInstall;
using shard::StateReader;

struct StateStoreOptions {
  size_t write_buffer_bytes = size_t{64} * 1024 * 1024;
  size_t block_cache_bytes = size_t{64} * 1024 * 1024;
  // Called before anything that was committed becomes durable, on any thread: a state must not be
  // ahead of its log after a power cut.
  std::function<void()> before_flush;
};

class StateStore {
 public:
  // Makes `directory` if it is not there; its parent is. What an installation left that was cut short
  // is removed.
  static absl::StatusOr<std::unique_ptr<StateStore>> open(const std::string& directory,
                                                          const StateStoreOptions& options);
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  // All of these outlive none of this.
  std::unique_ptr<ShardKeys> keys(uint32_t shard);
  std::unique_ptr<StateReader> reader(uint32_t shard);
  std::unique_ptr<StateInstall> install(uint32_t shard);
  std::unique_ptr<shard::ShardDisk> disk(uint32_t shard);
  absl::Status remove(uint32_t shard);

  // All that was committed before is durable; then the log may be cut there.
  absl::Status flush();
  // The first error.
  absl::Status status() const;

  struct Database;

 private:
  explicit StateStore(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace shoal::storage
