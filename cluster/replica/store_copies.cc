// Copies of states: those that this node sends to replicas that are too far behind, and those that come
// here to take a state's place. A copy goes portion by portion, each after the answer to the one before;
// whatever ends it, the group is told, or it would wait for that copy for ever and begin no other.
#include <utility>

#include "cluster/replica/store.h"

namespace shoal::replica {

// Noted before it has begun: a session that ends and begins anew meanwhile is another one, in which
// nobody waits for it.
void Store::want_copy(const raft::Effects::SendSnapshot& wanted) {
  const uint32_t shard = wanted.group.shard;
  copies_[{shard, wanted.to}] = {wanted.stream, {}};
  to_server(shard, CopyWanted{wanted.to, wanted.stream, wanted.least});
}

bool Store::is_copying(uint32_t shard, NodeId to, uint64_t stream) const {
  const auto it = copies_.find({shard, to});
  return it != copies_.end() && it->second.stream == stream;
}

// Not well. The group asks for another when it still needs one.
void Store::end_copy(uint32_t shard, NodeId to, uint64_t stream) {
  copies_.erase({shard, to});
  groups_.on_copy_sent(shard, to, stream, std::nullopt, now_.mono);
}

// One that begins takes the place of what came before, also of what is there whole; but not of one that
// the group has taken already. The leader may well begin one then: it takes the refusal of a heartbeat
// that crossed its InstallSnapshot for the need of another copy. A portion that is not answered would
// keep it from ever sending one again.
void Store::on_portion(NodeId from, proto::CopyPortion&& portion) {
  const uint32_t shard = portion.shard();
  const raft::RaftGroup* const group = groups_.find(shard);
  if (group == nullptr || group->is_installing() || installing_.contains(shard) ||
      groups_.is_forgetting(shard)) {
    return send(from, StoreFrame::kCopyAck, answer_to(portion, true));
  }
  if (portion.number() == 1 || portion.resumes() != 0) {
    coming_[shard] = {from, portion.stream(), portion.index()};
    groups_.on_staged(shard, 0);
  }
  to_server(shard, CopyCame{from, std::move(portion)});
}

void Store::on_copy_ack(NodeId from, const proto::CopyAck& ack) {
  const uint32_t shard = ack.shard();
  if (!is_copying(shard, from, ack.stream())) return;
  to_server(shard, CopyAcked{from, ack.stream(), ack.number(), ack.refused()});
  if (ack.refused()) end_copy(shard, from, ack.stream());
}

void Store::on_begun(uint32_t shard, const HostEffects::Begun& begun) {
  if (!is_copying(shard, begun.to, begun.stream)) return;
  const raft::RaftGroup* const group = groups_.find(shard);
  const auto meta = begun.index == 0 ? std::nullopt : group->meta_at(begun.index);
  if (meta && meta->index == begun.index && peers_.contains(begun.to)) {
    copies_[{shard, begun.to}] = {begun.stream, *meta};
    groups_.on_copy_begun(shard, begun.to, begun.index);
    return;
  }
  to_server(shard, CopyAcked{begun.to, begun.stream, 0, true});
  end_copy(shard, begun.to, begun.stream);
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
