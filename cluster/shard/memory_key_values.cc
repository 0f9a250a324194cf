#include "cluster/shard/key_values.h"

namespace shoal::shard {

bool MemoryKeyValues::get(std::string_view key, std::string& value) const {
  const auto found = map_.find(key);
  if (found == map_.end()) return false;
  value = found->second;
  return true;
}

void MemoryKeyValues::put(std::string_view key, std::string_view value) {
  const auto found = map_.find(key);
  if (found != map_.end()) {
    found->second.assign(value);
  } else {
    map_.emplace(key, value);
  }
}

void MemoryKeyValues::remove(std::string_view key) {
  const auto found = map_.find(key);
  if (found != map_.end()) map_.erase(found);
}

void MemoryKeyValues::scan(std::string_view begin, std::string_view end, const Visit& visit) const {
  for (auto at = map_.lower_bound(begin); at != map_.end(); ++at) {
    if (!end.empty() && at->first >= end) return;
    if (!visit(at->first, at->second)) return;
  }
}

}  // namespace shoal::shard
