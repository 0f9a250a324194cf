// What stands in memory, made from the keys.
#include "cluster/shard/shard_core.h"
#include "node/rules/topic.h"

namespace shoal::shard {

ShardState::Core::Core(const Options& given, KeyValues& values)
    : options(given), tables(values), router({.seed = given.router_seed}) {
  load();
}

void ShardState::Core::load() {
  if (!tables.get(shard_key(KeyKind::kMeta), meta)) {
    meta.level = 1;
    meta.limits = default_limits();
  }
  tables.set_hash(meta.hash);
  for_each_slot([this](Slot slot) {
    load_slot(slot);
    return true;
  });
  router.take_route_changes();
  find_next_due();
}

// From one slot that holds something to the next, as long as `each` says so.
void ShardState::Core::for_each_slot(const std::function<bool(Slot)>& each) const {
  std::string at(1, shard_key(KeyKind::kMeta).bytes()[0]);
  const std::string end = Key(kShardSlot, KeyKind{}).bytes().substr(0, 3);
  for (bool found = true; found;) {
    found = false;
    Slot slot = 0;
    tables.values().scan(at, end, [&](std::string_view key, std::string_view) {
      slot = static_cast<Slot>(static_cast<uint8_t>(key[1]) << 8 | static_cast<uint8_t>(key[2]));
      found = true;
      return false;
    });
    if (!found || !each(slot)) break;
    at = Key(static_cast<Slot>(slot + 1), KeyKind{}).bytes().substr(0, 3);
  }
}

void ShardState::Core::load_slot(Slot slot) {
  tables.scan_prefix(Key(slot, KeyKind::kSubscription),
                     [&](std::string_view key, std::string_view value) {
                       KeyParts parts(key);
                       const std::string_view client_id = parts.name();
                       SubscriptionRecord record;
                       SHOAL_ASSERT(read_record(value, record) || !tables.values().is_healthy());
                       if (!parse_shared(parts.rest()))
                         route(owner_of(client_id), parts.rest(), record);
                       return true;
                     });
  tables.scan_prefix(Key(slot, KeyKind::kGroup), [&](std::string_view key, std::string_view) {
    groups.emplace(KeyParts(key).name());
    return true;
  });
  tables.scan_prefix(Key(slot, KeyKind::kReplay), [&](std::string_view key, std::string_view) {
    KeyParts parts(key);
    const std::string client_id(parts.name());
    open_replays.emplace(client_id, parts.rest());
    return true;
  });
}

}  // namespace shoal::shard
