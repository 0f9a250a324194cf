// The replicas of this node: those that it has at its start, those that come to be here and go while it runs,
// and what is asked of those that lead.
#include "cluster/replica/store.h"

namespace shoal::replica {

void Store::add(raft::GroupId group, const raft::Recovered& recovered, Now now) {
  now_ = now;
  groups_.add(group, recovered, now.mono);
  // Without a log there is no state: one that is left over was to be forgotten, or its copy was not done.
  if (recovered.log.empty() && !recovered.snapshot) to_server(group.shard, ForgetState{});
}

// A replica that came to be here while the node runs knows nobody.
void Store::introduce(uint32_t shard) {
  to_server(shard, NodeHere{options_.self, incarnation_});
  for (const auto& [node, incarnation] : gone_) to_server(shard, NodeGone{node, incarnation});
  for (const auto& [node, incarnation] : peers_) to_server(shard, NodeHere{node, incarnation});
}

void Store::forget(uint32_t shard, Now now) {
  now_ = now;
  if (!leads_[shard].serves) groups_.forget(shard, now.mono);
}

bool Store::change(uint32_t shard, const raft::ChangeMember& change, Now now) {
  now_ = now;
  return groups_.change(shard, change, now.mono) == raft::Outcome::kDone;
}

bool Store::transfer(uint32_t shard, NodeId to, Now now) {
  now_ = now;
  return groups_.transfer(shard, to, now.mono) == raft::Outcome::kDone;
}

}  // namespace shoal::replica
