#include "cluster/replica/session_ids.h"

#include "node/rules/topic_hash.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal::replica {

// Its lower bits say which slot, and are alike in a shard.
uint32_t session_hash_of(std::string_view client_id, uint64_t cluster_seed) {
  return static_cast<uint32_t>(text_hash(client_id, cluster_seed) >> 32);
}

void SessionChanges::note(const shard::Effects& applied, uint64_t cluster_seed) {
  for (const shard::Effects::Connected& each : applied.connected) {
    if (each.session_present || SHOAL_MUTATED("store-session-begins-unnoticed")) continue;
    begun.push_back(session_hash_of(each.client_id, cluster_seed));
  }
  for (const shard::Effects::Ended& each : applied.ended) {
    ended.push_back(session_hash_of(each.client_id, cluster_seed));
  }
}

// Of one client id, sessions may have begun and ended in any order since the changes before.
void SessionIds::apply(const SessionChanges& changes) {
  if (changes.is_whole) *this = SessionIds();
  for (const uint32_t hash : changes.begun) ++counts_[hash];
  sessions_ += changes.begun.size();
  for (const uint32_t hash : changes.ended) {
    const auto it = counts_.find(hash);
    SHOAL_ASSERT(it != counts_.end());
    if (--it->second == 0) counts_.erase(it);
  }
  sessions_ -= changes.ended.size();
}

}  // namespace shoal::replica
