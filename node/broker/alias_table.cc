#include "node/broker/alias_table.h"

#include <functional>

namespace shoal {

uint64_t AliasTable::hash_of(std::string_view topic) {
  return std::hash<std::string_view>{}(topic);
}

AliasTable::Use AliasTable::look_up(std::string_view topic) const {
  const uint64_t hash = hash_of(topic);
  size_t oldest = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (entry.hash == hash && entry.topic == topic) return {static_cast<uint16_t>(i + 1), true};
    if (entry.used_at < entries_[oldest].used_at) oldest = i;
  }
  const size_t free = entries_.size() < aliases_max_ ? entries_.size() : oldest;
  return {static_cast<uint16_t>(free + 1), false};
}

void AliasTable::set(std::string_view topic, const Use& use) {
  if (use.alias > entries_.size()) entries_.emplace_back();
  Entry& entry = entries_[use.alias - 1];
  if (!use.known) {
    entry.hash = hash_of(topic);
    entry.topic = topic;
  }
  entry.used_at = ++uses_;
}

}  // namespace shoal
