// Dates in the state: keys in the order of their stamps, of which the first is known.
#include <algorithm>

#include "cluster/shard/shard_core.h"

namespace shoal::shard {

Key ShardState::Core::timer_key(uint64_t due, TimerKind kind, std::string_view name) const {
  return shard_key(KeyKind::kTimer).number(due).byte(static_cast<uint8_t>(kind)).text(name);
}

void ShardState::Core::put_timer(uint64_t due, TimerKind kind, std::string_view name) {
  tables.put_bytes(timer_key(due, kind, name), "");
  next_due = std::min(next_due, due);
}

void ShardState::Core::remove_timer(uint64_t due, TimerKind kind, std::string_view name) {
  tables.remove(timer_key(due, kind, name));
  if (due == next_due) next_due_known = false;
}

void ShardState::Core::find_next_due() {
  next_due = UINT64_MAX;
  next_due_known = true;
  tables.scan_prefix(shard_key(KeyKind::kTimer), [&](std::string_view key, std::string_view) {
    next_due = KeyParts(key).number();
    return false;
  });
}

}  // namespace shoal::shard
