#include "cluster/shard/slots.h"

#include "node/rules/topic_hash.h"

namespace shoal::shard {

Slot slot_of(std::string_view name, uint64_t cluster_seed) {
  return static_cast<Slot>(text_hash(name, cluster_seed) % kSlots);
}

uint64_t cluster_seed_of(uint64_t cluster_id_high, uint64_t cluster_id_low) {
  return longer_path(cluster_id_high, cluster_id_low);
}

}  // namespace shoal::shard
