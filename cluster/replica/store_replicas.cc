// The replicas of this node: those that it has at its start, those that come to be here and go while it runs,
// and what is asked of those that lead.
#include "cluster/replica/store.h"
#include "cluster/shard/slots.h"
#include "shoal/mutation.h"

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

// Of what this replica applied, all that it answered is known here; whoever waits for what is not
// answered was not let in.
bool Store::is_nothing_stored(const std::string& client_id) const {
  const uint32_t shard = shard::shard_of(client_id, options_.cluster_seed, options_.shards);
  const bool leads = leads_[shard].serves && client_->leader(shard).node == options_.self;
  if (!leads || client_->is_connecting(client_id)) return false;
  const uint32_t hash = session_hash_of(client_id, options_.cluster_seed);
  return !session_ids_[shard].may_have(hash) || SHOAL_MUTATED("stored-session-overlooked");
}

}  // namespace shoal::replica
