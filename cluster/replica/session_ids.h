// Which client ids have a session in a replica's state, as the node's hub knows it beside the thread
// of the shard: by hashes, so that who is not among them is not in the state, and who is may be.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "cluster/shard/effects.h"

namespace shoal::replica {

uint32_t session_hash_of(std::string_view client_id, uint64_t cluster_seed);

// What became of sessions, by the hashes of their client ids.
struct SessionChanges {
  bool is_whole = false;  // these are all: what was known before is void
  std::vector<uint32_t> begun;
  std::vector<uint32_t> ended;

  void note(const shard::Effects& applied, uint64_t cluster_seed);
  bool empty() const { return !is_whole && begun.empty() && ended.empty(); }
};

class SessionIds {
 public:
  void apply(const SessionChanges& changes);
  bool may_have(uint32_t hash) const { return counts_.contains(hash); }
  uint64_t sessions() const { return sessions_; }

 private:
  absl::flat_hash_map<uint32_t, uint32_t> counts_;  // sessions by hash
  uint64_t sessions_ = 0;
};

}  // namespace shoal::replica
