// Which slot a client id, a topic or a shared subscription's "$share/NAME/FILTER" belongs to. Slots
// are fixed for the life of a cluster; a versioned map assigns them to shards.
#pragma once

#include <cstdint>
#include <string_view>

namespace shoal::shard {

using Slot = uint16_t;
constexpr Slot kSlots = 4096;
// Of keys that belong to a shard as a whole: behind all others.
constexpr Slot kShardSlot = kSlots;

// `cluster_seed` is drawn from the cluster id, so that nobody outside can choose names of one slot.
Slot slot_of(std::string_view name, uint64_t cluster_seed);
// Which shard has the slot of this name, of `shards` that there are.
inline uint32_t shard_of(std::string_view name, uint64_t cluster_seed, uint32_t shards) {
  return slot_of(name, cluster_seed) % shards;
}
uint64_t cluster_seed_of(uint64_t cluster_id_high, uint64_t cluster_id_low);

}  // namespace shoal::shard
