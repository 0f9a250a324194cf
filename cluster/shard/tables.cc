#include "cluster/shard/tables.h"

#include "node/rules/topic_hash.h"

namespace shoal::shard {

uint64_t hash_of(std::string_view key, std::string_view value) {
  return text_hash(value, text_hash(key, 0));
}

bool Tables::has(const std::string& key) const {
  std::string bytes;
  return values_.get(key, bytes);
}

bool Tables::get_bytes(const std::string& key, std::string& bytes) const {
  return values_.get(key, bytes);
}

void Tables::put_bytes(const std::string& key, std::string_view bytes) {
  std::string old;
  if (values_.get(key, old)) {
    if (old == bytes) return;
    hash_ -= hash_of(key, old);
  }
  hash_ += hash_of(key, bytes);
  values_.put(key, bytes);
}

uint64_t Tables::add_bytes(const std::string& key, std::string_view bytes) {
  const uint64_t hash = hash_of(key, bytes);
  hash_ += hash;
  values_.add(key, bytes);
  return hash;
}

std::optional<std::string> Tables::remove(const std::string& key) {
  std::string old;
  if (!values_.get(key, old)) return std::nullopt;
  hash_ -= hash_of(key, old);
  values_.remove(key);
  return old;
}

void Tables::scan_prefix(const std::string& prefix, const KeyValues::Visit& visit) const {
  values_.scan(prefix, end_of_prefix(prefix), visit);
}

std::vector<std::string> Tables::keys_in_range(const std::string& from,
                                               const std::string& to) const {
  std::vector<std::string> keys;
  values_.scan(from, to, [&keys](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  });
  return keys;
}

std::vector<std::string> Tables::keys_with_prefix(const std::string& prefix) const {
  return keys_in_range(prefix, end_of_prefix(prefix));
}

void Tables::remove_range(const std::string& from, const std::string& to) {
  for (const std::string& key : keys_in_range(from, to)) remove(key);
}

void Tables::remove_prefix(const std::string& prefix) {
  remove_range(prefix, end_of_prefix(prefix));
}

}  // namespace shoal::shard
