#include "cluster/replica/shard_host.h"

#include <utility>

#include "shoal/assert.h"

namespace shoal::replica {
namespace {

constexpr size_t kCopyPortionBytes = 256 * 1024;

// What was applied is in the log, so nothing depends on when it gets to the disk of the state. Later is
// cheaper, since what is gone again by then never gets there; it waits in memory meanwhile.
constexpr size_t kUncommittedBytes = size_t{1} * 1024 * 1024;
constexpr uint32_t kCommitTicks = 20;

}  // namespace

ShardHost::ShardHost(const ShardServer::Options& options, shard::ShardDisk& disk)
    : options_(options), disk_(disk) {
  open();
  committed_ = server_->state().applied();
}

void ShardHost::open() {
  server_.reset();
  keys_ = disk_.keys();
  server_ = std::make_unique<ShardServer>(options_, *keys_);
  for (const auto& [id, each] : here_) server_->on_node(each.node, each.incarnation);
  for (const auto& [id, each] : gone_) server_->on_node_gone(each.node, each.incarnation);
}

bool ShardHost::check(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  return status_.ok();
}

void ShardHost::on(ToServer&& mail, Now now) {
  if (!status_.ok()) return;
  if (auto* const m = std::get_if<CopyWanted>(&mail)) return on_copy(*m);
  if (auto* const m = std::get_if<CopyAcked>(&mail)) return on_copy(*m);
  if (auto* const m = std::get_if<CopyCame>(&mail)) return on_copy(*m);
  if (auto* const m = std::get_if<InstallCopy>(&mail)) return on_copy(*m);
  if (const auto* const m = std::get_if<PeerLost>(&mail)) return on_lost(*m);
  if (const auto* const m = std::get_if<BackupAsked>(&mail)) return on_backup(*m);
  if (std::holds_alternative<ForgetState>(mail)) return forget();
  if (const auto* const here = std::get_if<NodeHere>(&mail)) here_[here->node] = *here;
  if (const auto* const gone = std::get_if<NodeGone>(&mail)) gone_[gone->node] = *gone;
  give(*server_, std::move(mail), now);
}

// Shards take turns, so that none waits for the commits of all.
void ShardHost::on_tick(Now now) {
  is_commit_tick_ = is_commit_tick_ || ++ticks_ % kCommitTicks == options_.shard % kCommitTicks;
  if (!status_.ok()) return;
  server_->on_tick(now.wall_ms);
  backups_.on_tick(*server_);
}

// What was read of a disk that fails must not leave: to commit tells of it.
bool ShardHost::is_commit_due() const {
  return is_commit_tick_ || keys_->uncommitted() > kUncommittedBytes || !keys_->is_healthy();
}

void ShardHost::commit() {
  is_commit_tick_ = false;
  if (check(keys_->commit()) && server_->applied_index() != 0) {
    committed_ = server_->applied_index();
  }
}

HostEffects ShardHost::end_turn() {
  if (is_commit_due()) commit();
  backups_.on_turn(*server_);
  effects_.backup_told = backups_.take_told();
  effects_.term = server_->term();
  effects_.server = std::exchange(server_->end_turn(), {});
  const shard::MetaRecord& meta = server_->state().meta();
  effects_.figures = {.applied = server_->applied_index(),
                      .sessions = meta.sessions,
                      .attached = meta.attached,
                      .expired = meta.expired,
                      .queued = meta.queued,
                      .bytes = meta.bodies_bytes,
                      .outbox = meta.outbox};
  HostEffects out = std::exchange(effects_, {});
  if (!status_.ok() || server_->is_too_new()) return {};
  return out;
}

// ---- copies for others --------------------------------------------------------------------------

void ShardHost::on_copy(CopyWanted& mail) {
  commit();
  if (!status_.ok()) return;
  if (committed_ < mail.least) {
    effects_.begun.push_back({mail.to, mail.stream, 0});
    return;
  }
  Outgoing& outgoing = outgoing_[mail.to];
  outgoing = {.stream = mail.stream, .reader = disk_.reader(), .index = committed_};
  effects_.begun.push_back({mail.to, mail.stream, committed_});
  send_portion(mail.to, outgoing);
}

void ShardHost::send_portion(NodeId to, Outgoing& outgoing) {
  absl::StatusOr<shard::StatePortion> portion =
      outgoing.reader->portion(outgoing.after, kCopyPortionBytes);
  if (!check(portion.status())) return;
  proto::CopyPortion message;
  message.set_shard(options_.shard);
  message.set_stream(outgoing.stream);
  message.set_number(++outgoing.number);
  message.set_index(outgoing.index);
  message.set_done(portion->done);
  if (!portion->items.empty()) outgoing.after = portion->items.back().first;
  for (auto& [key, value] : portion->items) {
    message.add_keys(std::move(key));
    message.add_values(std::move(value));
  }
  outgoing.is_last = portion->done;
  effects_.portions.push_back({to, std::move(message)});
}

void ShardHost::on_copy(CopyAcked& mail) {
  const auto it = outgoing_.find(mail.from);
  if (it == outgoing_.end() || it->second.stream != mail.stream ||
      it->second.number != mail.number) {
    return;
  }
  if (mail.refused) {
    outgoing_.erase(it);
    return;
  }
  if (!it->second.is_last) return send_portion(mail.from, it->second);
  effects_.done.push_back({mail.from, mail.stream});
  outgoing_.erase(it);
}

void ShardHost::on_lost(const PeerLost& mail) {
  outgoing_.erase(mail.peer);
  backups_.on_peer_lost(mail.peer, *server_);
  if (incoming_ && incoming_->from == mail.peer && !incoming_->is_whole) incoming_.reset();
}

// ---- backups ------------------------------------------------------------------------------------

void ShardHost::on_backup(const BackupAsked& mail) {
  const auto pin = [this]() -> absl::StatusOr<BackupParts::Pinned> {
    commit();
    if (!status_.ok()) return status_;
    return BackupParts::Pinned{disk_.reader(), committed_};
  };
  check(backups_.on_ask(mail.from, mail.ask, *server_, pin));
}

// ---- copies from others -------------------------------------------------------------------------

void ShardHost::on_copy(CopyCame& mail) {
  const proto::CopyPortion& portion = mail.portion;
  if (portion.number() == 1) {
    incoming_.reset();  // what it wrote goes before another begins
    incoming_.emplace(Incoming{.from = mail.from,
                               .stream = portion.stream(),
                               .index = portion.index(),
                               .install = disk_.install()});
  }
  const bool taken = take(mail.from, portion);
  if (status_.ok()) effects_.acks.push_back({mail.from, answer_to(portion, !taken)});
}

// False: it does not go on what is here, since another copy took its place.
bool ShardHost::take(NodeId from, const proto::CopyPortion& portion) {
  if (!incoming_ || incoming_->from != from || incoming_->stream != portion.stream() ||
      incoming_->number + 1 != portion.number() || incoming_->is_whole ||
      portion.keys_size() != portion.values_size()) {
    return false;
  }
  incoming_->number = portion.number();
  shard::StatePortion items;
  for (int i = 0; i < portion.keys_size(); ++i) {
    items.items.emplace_back(portion.keys(i), portion.values(i));
  }
  if (!check(incoming_->install->add(items))) return false;
  if (portion.done()) {
    incoming_->is_whole = true;
    effects_.staged = {incoming_->from, incoming_->stream, incoming_->index};
  }
  return true;
}

proto::CopyAck answer_to(const proto::CopyPortion& portion, bool refused) {
  proto::CopyAck ack;
  ack.set_shard(portion.shard());
  ack.set_stream(portion.stream());
  ack.set_number(portion.number());
  ack.set_refused(refused);
  return ack;
}

void ShardHost::on_copy(InstallCopy& mail) {
  SHOAL_ASSERT(incoming_ && incoming_->is_whole && incoming_->index == mail.index);
  if (!check(incoming_->install->finish())) return;
  incoming_.reset();
  outgoing_.clear();
  backups_.clear();
  effects_.server.clear();
  open();
  committed_ = mail.index;
  effects_.is_installed = true;
}

// A copy of nothing takes the place of the state.
void ShardHost::forget() {
  incoming_.reset();
  if (!check(disk_.install()->finish())) return;
  outgoing_.clear();
  backups_.clear();
  effects_ = {};
  open();
  committed_ = 0;
}

}  // namespace shoal::replica
