#include "cluster/core/store_plan.h"

#include <algorithm>

#include "cluster/core/stored_state.h"
#include "shoal/assert.h"

namespace shoal {

raft::Configuration founding_voters(const StoreFounding& founding, uint32_t shard) {
  const size_t nodes = founding.founders.size();
  SHOAL_ASSERT(nodes > 0 && founding.replicas > 0);
  size_t count = std::min<size_t>(founding.replicas, nodes);
  if (count % 2 == 0) --count;
  const size_t begin = nodes == 2 ? 0 : shard % nodes;
  raft::Configuration voters;
  for (size_t i = 0; i < count; ++i) {
    voters.servers.push_back({founding.founders[(begin + i) % nodes], raft::Role::kVoter});
  }
  std::sort(voters.servers.begin(), voters.servers.end());
  return voters;
}

uint64_t store_seed(const ClusterId& cluster, const StoreFounding& founding) {
  if (founding.seed != 0) return founding.seed;
  return cluster.high ^ (cluster.low << 32 | cluster.low >> 32);
}

}  // namespace shoal
