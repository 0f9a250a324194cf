#include "cluster/storage/state_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "cluster/storage/log_format.h"
#include "cluster/storage/store_status.h"

namespace shoal::storage {
namespace {

constexpr size_t kPrefixSize = 4 + 8;

// RocksDB also flushes by itself, when its tables in memory are full. What a flush writes is settled
// when this is called.
class FlushListener : public rocksdb::EventListener {
 public:
  explicit FlushListener(std::function<void()> before_flush)
      : before_flush_(std::move(before_flush)) {}
  void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { before_flush_(); }

 private:
  const std::function<void()> before_flush_;
};

rocksdb::DBOptions database_options(const StateStoreOptions& given) {
  rocksdb::DBOptions options;
  if (given.before_flush) {
    options.listeners.push_back(std::make_shared<FlushListener>(given.before_flush));
  }
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // Without a log of its own: what is durable of one family must be so of the other.
  options.atomic_flush = true;
  options.max_bgerror_resume_count = 0;
  options.info_log = no_info_log();
  options.max_open_files = 256;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(const StateStoreOptions& given) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = given.write_buffer_bytes;
  // Apply asks for many keys that are new, and for counts of references that mostly are not there.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(given.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  return options;
}

}  // namespace

StateStore::Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
}

absl::Status StateStore::Database::open(const StateStoreOptions& options) {
  const std::vector<rocksdb::ColumnFamilyDescriptor> descriptors = {
      {rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions()},
      {"states", family_options(options)}};
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(database_options(options), directory, descriptors, &families, &opened);
  if (!status.ok()) return check(status, "cannot be opened");
  db.reset(opened);
  generations_family = families[0];
  states_family = families[1];
  if (absl::Status read = read_generations(); !read.ok()) return read;
  return remove_leftovers();
}

absl::Status StateStore::Database::read_generations() {
  const std::unique_ptr<rocksdb::Iterator> at(
      db->NewIterator(rocksdb::ReadOptions(), generations_family));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (at->key().size() != 4 || at->value().size() != 8) {
      return check(rocksdb::Status::Corruption("an unknown key"), "reading generations");
    }
    const uint32_t shard = static_cast<uint32_t>(read_big_endian(at->key().ToStringView(), 0, 4));
    generations[shard] = read_big_endian(at->value().ToStringView(), 0, 8);
  }
  return check(at->status(), "reading generations");
}

// Of installations that were cut short, and of states that they took the place of.
absl::Status StateStore::Database::remove_leftovers() {
  std::vector<std::string> leftovers;
  const std::unique_ptr<rocksdb::Iterator> at(
      db->NewIterator(rocksdb::ReadOptions(), states_family));
  at->SeekToFirst();
  while (at->Valid()) {
    const std::string_view key = at->key().ToStringView();
    if (key.size() < kPrefixSize) {
      return check(rocksdb::Status::Corruption("an unknown key"), "looking for leftovers");
    }
    const std::string found(key.substr(0, kPrefixSize));
    if (found != prefix(static_cast<uint32_t>(read_big_endian(found, 0, 4)))) {
      leftovers.push_back(found);
    }
    at->Seek(end_of(found));
  }
  if (absl::Status read = check(at->status(), "looking for leftovers"); !read.ok()) return read;
  for (const std::string& each : leftovers) {
    if (absl::Status removed = remove_range(each, end_of(each)); !removed.ok()) return removed;
  }
  return absl::OkStatus();
}

std::string StateStore::Database::prefix(uint32_t shard, uint64_t generation) {
  std::string prefix;
  append_big_endian(shard, 4, prefix);
  append_big_endian(generation, 8, prefix);
  return prefix;
}

std::string StateStore::Database::end_of(const std::string& prefix) {
  return StateStore::Database::prefix(static_cast<uint32_t>(read_big_endian(prefix, 0, 4)),
                                      read_big_endian(prefix, 4, 8) + 1);
}

uint64_t StateStore::Database::generation_of(uint32_t shard) const {
  const std::lock_guard lock(mutex);
  const auto found = generations.find(shard);
  return found == generations.end() ? 0 : found->second;
}

absl::Status StateStore::Database::first_error() const {
  const std::lock_guard lock(mutex);
  return error;
}

absl::Status StateStore::Database::check(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return absl::OkStatus();
  const std::lock_guard lock(mutex);
  if (error.ok()) error = to_status(status, "state store " + directory + ": " + what);
  return error;
}

absl::Status StateStore::Database::write(rocksdb::WriteBatch& batch, const std::string& what) {
  if (absl::Status earlier = first_error(); !earlier.ok()) return earlier;
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return check(db->Write(options, &batch), what);
}

absl::Status StateStore::Database::remove_range(const std::string& begin, const std::string& end) {
  rocksdb::WriteBatch batch;
  batch.DeleteRange(states_family, begin, end);
  return write(batch, "removing");
}

absl::Status StateStore::Database::flush() {
  if (absl::Status earlier = first_error(); !earlier.ok()) return earlier;
  return check(db->Flush(rocksdb::FlushOptions(), families), "flushing");
}

}  // namespace shoal::storage
