// Records in a KeyValues, and the hash of them all.
//
// The hash is the sum of hash(key, value) over all keys: it does not depend on the order in which
// they were written, each write changes it by what it takes away and adds, and a copy of the keys is
// checked by summing up anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/shard/fields.h"
#include "cluster/shard/key_values.h"
#include "cluster/shard/keys.h"
#include "shoal/assert.h"

namespace shoal::shard {

uint64_t hash_of(std::string_view key, std::string_view value);

class Tables {
 public:
  explicit Tables(KeyValues& values) : values_(values) {}

  template <class Record>
  bool get(const std::string& key, Record& record) const {
    std::string bytes;
    if (!values_.get(key, bytes)) return false;
    // We wrote it, and the store checks its bytes: anything else is a mistake of ours.
    SHOAL_ASSERT(read_record(bytes, record) || !values_.is_healthy());
    return true;
  }
  // Where there must be one.
  template <class Record>
  Record need(const std::string& key) const {
    Record record;
    SHOAL_ASSERT(get(key, record) || !values_.is_healthy());
    return record;
  }
  template <class Record>
  void put(const std::string& key, const Record& record) {
    std::string bytes;
    append_record(record, bytes);
    put_bytes(key, bytes);
  }
  bool has(const std::string& key) const;
  bool get_bytes(const std::string& key, std::string& bytes) const;
  void put_bytes(const std::string& key, std::string_view bytes);
  // There is no such key. Returns what it adds to the hash.
  uint64_t add_bytes(const std::string& key, std::string_view bytes);
  // Of keys whose values are removed unread: what they are in the hash is the caller's to keep.
  void remove_counted(const std::string& key) { values_.remove(key); }
  void uncount(uint64_t hash) { hash_ -= hash; }
  // Its value; none if there was no such key.
  std::optional<std::string> remove(const std::string& key);
  // get(), and out of here.
  template <class Record>
  bool take(const std::string& key, Record& record) {
    const std::optional<std::string> old = remove(key);
    SHOAL_ASSERT(!old || read_record(*old, record) || !values_.is_healthy());
    return old.has_value();
  }
  // For what is not part of the hash.
  template <class Record>
  void put_apart(const std::string& key, const Record& record) {
    std::string bytes;
    append_record(record, bytes);
    values_.put(key, bytes);
  }

  void scan_prefix(const std::string& prefix, const KeyValues::Visit& visit) const;
  // Copies, so that they may be changed while they are worked on. A range is without `to`.
  std::vector<std::string> keys_in_range(const std::string& from, const std::string& to) const;
  std::vector<std::string> keys_with_prefix(const std::string& prefix) const;
  void remove_range(const std::string& from, const std::string& to);
  void remove_prefix(const std::string& prefix);

  const KeyValues& values() const { return values_; }
  uint64_t hash() const { return hash_; }
  void set_hash(uint64_t hash) { hash_ = hash; }

 private:
  KeyValues& values_;
  uint64_t hash_ = 0;
};

}  // namespace shoal::shard
