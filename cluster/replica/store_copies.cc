// Copies of states: those that this node sends to replicas that are too far behind, and those that come
// here to take a state's place.
#include <utility>

#include "cluster/replica/store.h"

namespace shoal::replica {

// One that begins takes the place of what came before, also of what is there whole; but not of one that
// the group has taken already.
void Store::on_portion(NodeId from, proto::CopyPortion&& portion) {
  const uint32_t shard = portion.shard();
  const raft::RaftGroup* const group = groups_.find(shard);
  if (group == nullptr || group->is_installing() || installing_.contains(shard)) return;
  if (portion.number() == 1) {
    coming_[shard] = {from, portion.stream(), portion.index()};
    groups_.on_staged(shard, 0);
  }
  to_server(shard, CopyCame{from, std::move(portion)});
}

void Store::on_begun(uint32_t shard, const HostEffects::Begun& begun) {
  const raft::RaftGroup* const group = groups_.find(shard);
  const auto meta = begun.index == 0 ? std::nullopt : group->meta_at(begun.index);
  if (meta && meta->index == begun.index && peers_.contains(begun.to)) {
    copies_[{shard, begun.to}] = {begun.stream, *meta};
    return;
  }
  to_server(shard, PeerLost{begun.to});
  groups_.on_copy_sent(shard, begun.to, begun.stream, std::nullopt, now_.mono);
}

void Store::on_copied(uint32_t shard, const HostEffects::Done& done) {
  const auto it = copies_.find({shard, done.to});
  if (it == copies_.end() || it->second.stream != done.stream) return;
  groups_.on_copy_sent(shard, done.to, done.stream, it->second.meta, now_.mono);
  copies_.erase(it);
}

// The state goes first: a log that is empty behind it must find it there.
void Store::write(raft::Effects::Persist&& persist) {
  const uint32_t shard = persist.group.shard;
  const auto waiting = installing_.find(shard);
  if (waiting != installing_.end()) return waiting->second.push_back(std::move(persist));
  if (!persist.install) return effects_.raft.persists.push_back(std::move(persist));
  to_server(shard, InstallCopy{persist.install->index});
  installing_[shard].push_back(std::move(persist));
}

}  // namespace shoal::replica
