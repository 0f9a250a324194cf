// What a StateStore is made of. Only the .cc files of this folder include this.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/db.h>

#include "cluster/storage/state_store.h"

namespace shoal::storage {

struct StateStore::Database {
  ~Database();

  absl::Status open(const StateStoreOptions& options);
  absl::Status read_generations();
  absl::Status remove_leftovers();

  // The beginning of a shard's keys.
  std::string prefix(uint32_t shard) const { return prefix(shard, generation_of(shard)); }
  static std::string prefix(uint32_t shard, uint64_t generation);
  static std::string end_of(const std::string& prefix);
  uint64_t generation_of(uint32_t shard) const;

  absl::Status write(rocksdb::WriteBatch& batch, const std::string& what);
  absl::Status remove_range(const std::string& begin, const std::string& end);
  absl::Status flush();
  absl::Status check(const rocksdb::Status& status, const std::string& what);
  absl::Status first_error() const;

  std::string directory;
  std::unique_ptr<rocksdb::DB> db;
  // Generations apart from states; flushed with them, in one piece.
  rocksdb::ColumnFamilyHandle* generations_family = nullptr;
  rocksdb::ColumnFamilyHandle* states_family = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  mutable std::mutex mutex;  // of what follows
  std::map<uint32_t, uint64_t> generations;
  absl::Status error;
};

std::unique_ptr<ShardKeys> make_shard_keys(StateStore::Database& database, std::string prefix);

}  // namespace shoal::storage
