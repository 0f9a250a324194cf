#include "cluster/replica/shard_host.h"

#include <algorithm>
#include <utility>

#include "shoal/assert.h"

namespace shoal::replica {
namespace {

constexpr size_t kCopyPortionBytes = 256 * 1024;
// A copy whose session ended goes on in the next one, if that comes so soon; an answer is waited for so long.
constexpr Duration kCopyKept = Duration::seconds(60);

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
  if (auto* const m = std::get_if<CopyWanted>(&mail)) return on_copy(*m, now);
  if (auto* const m = std::get_if<CopyAcked>(&mail)) return on_copy(*m, now);
  if (auto* const m = std::get_if<CopyCame>(&mail)) return on_copy(*m, now);
  if (auto* const m = std::get_if<InstallCopy>(&mail)) return on_copy(*m);
  if (const auto* const m = std::get_if<PeerLost>(&mail)) return on_lost(*m, now);
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
  send_waiting(now);
  drop_abandoned(now);
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

// One that a lost session broke off goes on where it was.
void ShardHost::on_copy(CopyWanted& mail, Now now) {
  const auto before = outgoing_.find(mail.to);
  if (before != outgoing_.end() && before->second.number > 0 &&
      before->second.index >= mail.least) {
    before->second.resumes = true;
    before->second.stream = mail.stream;
  } else {
    commit();
    if (!status_.ok()) return;
    if (committed_ < mail.least) {
      effects_.begun.push_back({mail.to, mail.stream, 0});
      return;
    }
    outgoing_[mail.to] = {.stream = mail.stream,
                          .reader = disk_.reader(),
                          .index = committed_,
                          .first_stream = mail.stream};
  }
  Outgoing& outgoing = outgoing_[mail.to];
  outgoing.moved = now.mono;
  effects_.begun.push_back({mail.to, mail.stream, outgoing.index});
  send_portion(mail.to, outgoing);
}

void ShardHost::send_portion(NodeId to, Outgoing& outgoing) {
  outgoing.waits = options_.copy_rate != 0 && copy_budget_ <= 0;
  if (outgoing.waits) return;
  absl::StatusOr<shard::StatePortion> portion =
      outgoing.reader->portion(outgoing.after, kCopyPortionBytes);
  if (!check(portion.status())) return;
  proto::CopyPortion message;
  message.set_shard(options_.shard);
  message.set_stream(outgoing.stream);
  message.set_number(outgoing.number + 1);
  message.set_index(outgoing.index);
  message.set_done(portion->done);
  if (std::exchange(outgoing.resumes, false)) message.set_resumes(outgoing.first_stream);
  if (!portion->items.empty()) outgoing.sent = portion->items.back().first;
  for (auto& [key, value] : portion->items) {
    copy_budget_ -= static_cast<int64_t>(key.size() + value.size());
    message.add_keys(std::move(key));
    message.add_values(std::move(value));
  }
  outgoing.is_last = portion->done;
  effects_.portions.push_back({to, std::move(message)});
}

// What was not used of a rate is not saved up: it would come as a burst.
void ShardHost::send_waiting(Now now) {
  const int64_t rate = static_cast<int64_t>(options_.copy_rate);
  const int64_t passed = (now.mono - std::exchange(budgeted_, now.mono)).to_millis();
  copy_budget_ = std::min(copy_budget_ + rate / 1000 * std::min<int64_t>(passed, 1000), rate / 10);
  for (auto& [to, outgoing] : outgoing_) {
    if (!outgoing.waits) continue;
    outgoing.moved = now.mono;
    send_portion(to, outgoing);
  }
}

// Whoever waits for it is told: it would begin no other.
void ShardHost::drop_abandoned(Now now) {
  std::erase_if(outgoing_, [&](const auto& each) {
    const auto& [to, outgoing] = each;
    const bool is_abandoned = !outgoing.waits && now.mono - outgoing.moved > kCopyKept;
    if (is_abandoned) effects_.begun.push_back({to, outgoing.stream, 0});
    return is_abandoned;
  });
  if (incoming_ && !incoming_->is_whole && now.mono - incoming_->moved > kCopyKept) {
    incoming_.reset();
  }
}

void ShardHost::on_copy(CopyAcked& mail, Now now) {
  const auto it = outgoing_.find(mail.from);
  if (it == outgoing_.end() || it->second.stream != mail.stream) return;
  Outgoing& outgoing = it->second;
  if (mail.refused) {
    outgoing_.erase(it);
    return;
  }
  if (mail.number != outgoing.number + 1) return;
  outgoing.number = mail.number;
  outgoing.after = outgoing.sent;
  outgoing.moved = now.mono;
  if (!outgoing.is_last) return send_portion(mail.from, outgoing);
  effects_.done.push_back({mail.from, mail.stream});
  outgoing_.erase(it);
}

void ShardHost::on_lost(const PeerLost& mail, Now now) {
  backups_.on_peer_lost(mail.peer, *server_);
  const auto it = outgoing_.find(mail.peer);
  if (it == outgoing_.end()) return;
  it->second.waits = false;
  it->second.moved = now.mono;
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

void ShardHost::on_copy(CopyCame& mail, Now now) {
  const proto::CopyPortion& portion = mail.portion;
  if (portion.number() == 1 && portion.resumes() == 0) {
    incoming_.reset();  // what it wrote goes before another begins
    incoming_.emplace(Incoming{.from = mail.from,
                               .stream = portion.stream(),
                               .first_stream = portion.stream(),
                               .index = portion.index(),
                               .install = disk_.install()});
  }
  const bool taken = take(mail.from, portion);
  if (taken) incoming_->moved = now.mono;
  if (status_.ok()) effects_.acks.push_back({mail.from, answer_to(portion, !taken)});
}

// False: it does not go on what is here, since another copy took its place. One that is resumed may bring
// a portion again whose acknowledgement was lost: the same keys with the same values.
bool ShardHost::take(NodeId from, const proto::CopyPortion& portion) {
  const bool is_resumed = portion.resumes() != 0;
  if (!incoming_ || incoming_->from != from || incoming_->index != portion.index() ||
      portion.keys_size() != portion.values_size()) {
    return false;
  }
  const bool is_it = is_resumed ? incoming_->first_stream == portion.resumes()
                                : incoming_->stream == portion.stream();
  const bool is_next = incoming_->number + 1 == portion.number() && !incoming_->is_whole;
  const bool is_again = is_resumed && incoming_->number == portion.number();
  if (!is_it || (!is_next && !is_again)) return false;
  incoming_->stream = portion.stream();
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
