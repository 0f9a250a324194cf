#include "cluster/storage/state_store.h"

#include <utility>

#include <rocksdb/write_batch.h>

#include "cluster/storage/log_format.h"
#include "cluster/storage/state_database.h"

namespace shoal::storage {
namespace {

using Database = StateStore::Database;

class PinnedReader : public StateReader {
 public:
  PinnedReader(Database& database, std::string prefix)
      : database_(database),
        prefix_(std::move(prefix)),
        end_(Database::end_of(prefix_)),
        snapshot_(database.db->GetSnapshot()) {}
  ~PinnedReader() override { database_.db->ReleaseSnapshot(snapshot_); }

  absl::StatusOr<shard::StatePortion> portion(std::string_view after, size_t bytes_max) override {
    if (absl::Status earlier = database_.first_error(); !earlier.ok()) return earlier;
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    options.fill_cache = false;
    const rocksdb::Slice end(end_);
    options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> at(
        database_.db->NewIterator(options, database_.states_family));
    shard::StatePortion portion;
    size_t bytes = 0;
    at->Seek(after.empty() ? prefix_ : prefix_ + std::string(after) + '\0');
    for (; at->Valid() && (portion.items.empty() || bytes < bytes_max); at->Next()) {
      bytes += at->key().size() + at->value().size();
      portion.items.emplace_back(at->key().ToStringView().substr(prefix_.size()),
                                 at->value().ToString());
    }
    portion.done = !at->Valid();
    if (absl::Status read = database_.check(at->status(), "reading"); !read.ok()) return read;
    return portion;
  }

 private:
  Database& database_;
  const std::string prefix_;
  const std::string end_;
  const rocksdb::Snapshot* const snapshot_;
};

class StagedInstall : public StateInstall {
 public:
  StagedInstall(Database& database, uint32_t shard)
      : database_(database),
        shard_(shard),
        generation_(database.generation_of(shard) + 1),
        prefix_(Database::prefix(shard, generation_)) {
    (void)clear(prefix_);  // an error stays
  }
  ~StagedInstall() override {
    if (!finished_) (void)clear(prefix_);
  }

  absl::Status add(const shard::StatePortion& portion) override {
    rocksdb::WriteBatch batch;
    for (const auto& [key, value] : portion.items) {
      batch.Put(database_.states_family, prefix_ + key, value);
    }
    return database_.write(batch, "installing");
  }

  absl::Status finish() override {
    // The state first: what the generation names must be there.
    if (absl::Status flushed = database_.flush(); !flushed.ok()) return flushed;
    const std::string old = database_.prefix(shard_);
    rocksdb::WriteBatch batch;
    std::string key, value;
    append_big_endian(shard_, 4, key);
    append_big_endian(generation_, 8, value);
    batch.Put(database_.generations_family, key, value);
    if (absl::Status put = database_.write(batch, "installing"); !put.ok()) return put;
    if (absl::Status flushed = database_.flush(); !flushed.ok()) return flushed;
    finished_ = true;
    {
      const std::lock_guard lock(database_.mutex);
      database_.generations[shard_] = generation_;
    }
    return clear(old);
  }

 private:
  absl::Status clear(const std::string& prefix) {
    return database_.remove_range(prefix, Database::end_of(prefix));
  }

  Database& database_;
  const uint32_t shard_;
  const uint64_t generation_;
  const std::string prefix_;
  bool finished_ = false;
};

class DiskOfShard : public shard::ShardDisk {
 public:
  DiskOfShard(StateStore& store, uint32_t shard) : store_(store), shard_(shard) {}
  std::unique_ptr<ShardKeys> keys() override { return store_.keys(shard_); }
  std::unique_ptr<StateReader> reader() override { return store_.reader(shard_); }
  std::unique_ptr<StateInstall> install() override { return store_.install(shard_); }

 private:
  StateStore& store_;
  const uint32_t shard_;
};

}  // namespace

StateStore::StateStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

StateStore::~StateStore() = default;

absl::StatusOr<std::unique_ptr<StateStore>> StateStore::open(const std::string& directory,
                                                             const StateStoreOptions& options) {
  auto database = std::make_unique<Database>();
  database->directory = directory;
  if (absl::Status opened = database->open(options); !opened.ok()) return opened;
  return std::unique_ptr<StateStore>(new StateStore(std::move(database)));
}

std::unique_ptr<ShardKeys> StateStore::keys(uint32_t shard) {
  return make_shard_keys(*database_, database_->prefix(shard));
}

std::unique_ptr<StateReader> StateStore::reader(uint32_t shard) {
  return std::make_unique<PinnedReader>(*database_, database_->prefix(shard));
}

std::unique_ptr<StateInstall> StateStore::install(uint32_t shard) {
  return std::make_unique<StagedInstall>(*database_, shard);
}

std::unique_ptr<shard::ShardDisk> StateStore::disk(uint32_t shard) {
  return std::make_unique<DiskOfShard>(*this, shard);
}

absl::Status StateStore::remove(uint32_t shard) {
  const std::string prefix = database_->prefix(shard);
  return database_->remove_range(prefix, Database::end_of(prefix));
}

absl::Status StateStore::flush() { return database_->flush(); }

absl::Status StateStore::status() const { return database_->first_error(); }

}  // namespace shoal::storage
