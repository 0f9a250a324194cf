#include <functional>
#include <optional>
#include <utility>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <rocksdb/write_batch.h>

#include "cluster/storage/state_database.h"

namespace shoal::storage {
namespace {

// About what a key costs in memory beside its bytes.
constexpr size_t kOverhead = 64;
// Of values that are kept although they are committed.
constexpr size_t kCacheBytes = size_t{1} * 1024 * 1024;

struct Hash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// In memory stand what was put since the last commit, and some of what was read or committed lately: to
// look a key up in RocksDB costs more than all else that apply does with it. What comes and goes between
// two commits, as a message does whose receiver is connected, never gets to RocksDB.
class OverlaidKeys : public ShardKeys {
 public:
  OverlaidKeys(StateStore::Database& database, std::string prefix)
      : database_(database),
        prefix_(std::move(prefix)),
        end_(StateStore::Database::end_of(prefix_)) {}

  bool get(std::string_view key, std::string& value) const override {
    if (const auto found = changes_.find(key); found != changes_.end()) {
      if (found->second.value) value = *found->second.value;
      return found->second.value.has_value();
    }
    if (const auto found = cache_.find(key); found != cache_.end()) {
      value = found->second;
      return true;
    }
    return read(key, value);
  }

  void put(std::string_view key, std::string_view value) override {
    Change& change = change_of(key);
    uncommitted_ += value.size() - (change.value ? change.value->size() : 0);
    change.value = value;
  }

  void add(std::string_view key, std::string_view value) override {
    absent_ = key;
    put(key, value);
  }

  void remove(std::string_view key) override {
    Change& change = change_of(key);
    uncommitted_ -= change.value ? change.value->size() : 0;
    change.value.reset();
    if (change.is_stored) return;
    uncommitted_ -= key.size() + kOverhead;
    changes_.erase(changes_.find(key));
  }

  void scan(std::string_view begin, std::string_view end, const Visit& visit) const override;

  bool is_healthy() const override { return database_.first_error().ok(); }

  size_t uncommitted() const override { return uncommitted_; }

  absl::Status commit() override {
    if (changes_.empty()) return database_.first_error();
    rocksdb::WriteBatch batch;
    for (const auto& [key, change] : changes_) {
      if (change.value) {
        batch.Put(database_.states_family, stored(key), *change.value);
      } else {
        batch.Delete(database_.states_family, stored(key));
      }
    }
    if (absl::Status written = database_.write(batch, "writing"); !written.ok()) return written;
    for (auto& [key, change] : changes_) {
      if (change.value) keep(key, *change.value);
    }
    changes_.clear();
    uncommitted_ = 0;
    absent_.clear();
    return absl::OkStatus();
  }

 private:
  struct Change {
    std::optional<std::string> value;
    bool is_stored = true;  // RocksDB has the key, for all that is known
  };

  std::string stored(std::string_view key) const { return prefix_ + std::string(key); }

  Change& change_of(std::string_view key) {
    auto at = changes_.lower_bound(key);
    if (at != changes_.end() && at->first == key) return at->second;
    at = changes_.emplace_hint(at, std::string(key), Change{std::nullopt, key != absent_});
    uncommitted_ += key.size() + kOverhead;
    if (const auto kept = cache_.find(key); kept != cache_.end()) {
      cached_ -= kept->first.size() + kept->second.size() + kOverhead;
      cache_.erase(kept);
    }
    return at->second;
  }

  bool read(std::string_view key, std::string& value) const {
    rocksdb::PinnableSlice slice;
    const rocksdb::Status status =
        database_.db->Get(rocksdb::ReadOptions(), database_.states_family, stored(key), &slice);
    if (!status.ok() && !status.IsNotFound()) (void)database_.check(status, "reading");
    if (status.IsNotFound()) absent_ = key;
    if (!status.ok()) return false;
    value.assign(slice.data(), slice.size());
    keep(key, value);
    return true;
  }

  // Which values are wanted again nobody knows: now and then all go, and those that are come back.
  void keep(std::string_view key, std::string_view value) const {
    const size_t bytes = key.size() + value.size() + kOverhead;
    if (cached_ + bytes > kCacheBytes) {
      cache_.clear();
      cached_ = 0;
    }
    if (bytes <= kCacheBytes && cache_.try_emplace(key, value).second) cached_ += bytes;
  }

  StateStore::Database& database_;
  const std::string prefix_;
  const std::string end_;
  absl::btree_map<std::string, Change, std::less<>> changes_;
  size_t uncommitted_ = 0;  // bytes of changes_
  // As RocksDB has them; none is in changes_.
  mutable absl::flat_hash_map<std::string, std::string, Hash, std::equal_to<>> cache_;
  mutable size_t cached_ = 0;   // bytes
  mutable std::string absent_;  // the last key that was looked for and not found in RocksDB
};

// Both in step; where both have a key, the change counts.
void OverlaidKeys::scan(std::string_view begin, std::string_view end, const Visit& visit) const {
  const std::string upper_bytes = end.empty() ? end_ : stored(end);
  const rocksdb::Slice upper(upper_bytes);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> at(
      database_.db->NewIterator(options, database_.states_family));
  at->Seek(stored(begin));
  auto change = changes_.lower_bound(begin);
  const auto has_change = [&] {
    return change != changes_.end() && (end.empty() || change->first < end);
  };
  while (at->Valid() || has_change()) {
    const std::string_view key =
        at->Valid() ? at->key().ToStringView().substr(prefix_.size()) : std::string_view();
    if (at->Valid() && (!has_change() || key < change->first)) {
      if (!visit(key, at->value().ToStringView())) return;
      at->Next();
      continue;
    }
    const std::optional<std::string>& value = change->second.value;
    if (value && !visit(change->first, *value)) return;
    if (at->Valid() && key == change->first) at->Next();
    ++change;
  }
  (void)database_.check(at->status(), "reading");
}

}  // namespace

std::unique_ptr<ShardKeys> make_shard_keys(StateStore::Database& database, std::string prefix) {
  return std::make_unique<OverlaidKeys>(database, std::move(prefix));
}

}  // namespace shoal::storage
