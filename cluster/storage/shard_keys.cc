#include <optional>
#include <utility>

#include <absl/container/btree_map.h>
#include <rocksdb/write_batch.h>

#include "cluster/storage/state_database.h"

namespace shoal::storage {
namespace {

// What was put since the last commit stands in memory; it is what apply reads most.
class OverlaidKeys : public ShardKeys {
 public:
  OverlaidKeys(StateStore::Database& database, std::string prefix)
      : database_(database),
        prefix_(std::move(prefix)),
        end_(StateStore::Database::end_of(prefix_)) {}

  bool get(std::string_view key, std::string& value) const override {
    if (const auto found = changes_.find(key); found != changes_.end()) {
      if (found->second) value = *found->second;
      return found->second.has_value();
    }
    rocksdb::PinnableSlice slice;
    const rocksdb::Status status =
        database_.db->Get(rocksdb::ReadOptions(), database_.states_family, stored(key), &slice);
    if (status.ok()) value.assign(slice.data(), slice.size());
    if (!status.ok() && !status.IsNotFound()) (void)database_.check(status, "reading");
    return status.ok();
  }

  void put(std::string_view key, std::string_view value) override {
    changes_[std::string(key)] = std::string(value);
  }

  void remove(std::string_view key) override { changes_[std::string(key)] = std::nullopt; }

  void scan(std::string_view begin, std::string_view end, const Visit& visit) const override;

  bool is_healthy() const override { return database_.first_error().ok(); }

  absl::Status commit() override {
    if (changes_.empty()) return database_.first_error();
    rocksdb::WriteBatch batch;
    for (const auto& [key, value] : changes_) {
      if (value) {
        batch.Put(database_.states_family, stored(key), *value);
      } else {
        batch.Delete(database_.states_family, stored(key));
      }
    }
    absl::Status written = database_.write(batch, "writing");
    if (written.ok()) changes_.clear();
    return written;
  }

 private:
  std::string stored(std::string_view key) const { return prefix_ + std::string(key); }

  StateStore::Database& database_;
  const std::string prefix_;
  const std::string end_;
  absl::btree_map<std::string, std::optional<std::string>, std::less<>> changes_;
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
    if (change->second && !visit(change->first, *change->second)) return;
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
