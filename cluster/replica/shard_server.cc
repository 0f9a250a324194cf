#include "cluster/replica/shard_server.h"

#include <algorithm>
#include <utility>

#include "shoal/byte_view.h"
#include "shoal/mutation.h"

namespace shoal::replica {
namespace {

// So much may wait in a session before more of a replay is read for it.
constexpr uint32_t kReplayQueued = 500;

}  // namespace

ShardServer::ShardServer(const Options& options, shard::KeyValues& values)
    : options_(options),
      state_({.cluster_seed = options.cluster_seed, .router_seed = options.router_seed}, values),
      attachments_(options.unread_bytes),
      outbox_(options.shard, options.shards, options.cluster_seed),
      sharers_(options.shards, options.cluster_seed) {
  sessions_.is_whole = true;
  if (SHOAL_MUTATED("store-session-ids-of-before")) return;
  state_.for_each_session([this](std::string_view client_id, const shard::SessionRecord&) {
    sessions_.begun.push_back(session_hash_of(client_id, options_.cluster_seed));
    return true;
  });
}

// ---- the group

void ShardServer::on_committed(std::span<const raft::Entry> entries) {
  for (const raft::Entry& entry : entries) {
    if (is_too_new_) return;
    if (entry.kind == raft::EntryKind::kCommand) {
      const std::string_view bytes = text_of(raft::bytes_of(entry.payload));
      applied_.clear();
      is_too_new_ = state_.apply(entry.index, bytes, applied_) == shard::Applied::kTooNew;
      if (is_too_new_) return;
      sessions_.note(applied_, options_.cluster_seed);
      if (serving_ && entry.term == term_) ++entries_applied_;
      if (serving_) carry_out();
    }
    effects_.applied = applied_index_ = entry.index;
  }
}

void ShardServer::on_role(bool serving, uint64_t term, int64_t wall_ms) {
  wall_ms_ = wall_ms;
  if (serving == serving_ && term == term_) return;
  serving_ = serving;
  term_ = term;
  ops_.clear();
  op_count_ = 0;
  replies_.clear();
  effects_.entries.clear();
  attachments_.clear();
  outbox_.clear();
  holds_.clear();
  answered_.clear();
  picked_.clear();
  subscribing_.clear();
  takers_.clear();
  sharers_.clear();
  replays_.clear();
  entries_made_ = entries_applied_ = 0;
  is_ticking_ = false;
  for (auto& [id, node] : nodes_) node.begun = false;
  if (serving) begin_serving();
}

void ShardServer::begin_serving() {
  routes_version_ = state_.applied();
  effects_.routes.push_back({routes_version_, true, state_.routes()});
  if (state_.meta().limits != options_.limits) add(shard::LimitsOp{options_.limits});
  for (auto& [id, node] : nodes_) detach_all(id, node.gone_before);
  for (const shard::OpenReplay& each : state_.replays()) {
    replays_.insert({{each.client_id, each.filter}, kAskReplay});
  }
  for (const std::string& group : state_.groups()) takers_.on_filled(group);
}

// ---- nodes

void ShardServer::on_node(NodeId id, uint64_t incarnation) {
  nodes_[id].incarnation = incarnation;
  on_node_gone(id, incarnation - 1);
}

void ShardServer::on_node_gone(NodeId id, uint64_t incarnation) {
  Node& node = nodes_[id];
  if (incarnation >= node.incarnation) node.begun = false;
  if (incarnation + 1 <= node.gone_before) return;
  node.gone_before = incarnation + 1;
  if (serving_) detach_all(id, node.gone_before);
}

// By their epochs: one that has come back meanwhile is not touched.
void ShardServer::detach_all(NodeId node, uint64_t before) {
  for (const shard::AttachedSession& each : state_.attached(node, before)) {
    add(shard::DetachOp{.client_id = each.client_id, .epoch = each.epoch});
  }
  if (state_.has_uploads(node, before)) add(shard::DropUploadsOp{node, before});
}

void ShardServer::on_request(NodeId from, const proto::StoreRequest& request, int64_t wall_ms) {
  if (!serving_ || request.term() != term_) return;
  wall_ms_ = wall_ms;
  Node& node = nodes_[from];
  if (request.incarnation() < node.incarnation || request.incarnation() < node.gone_before) return;
  node.incarnation = request.incarnation();
  if (request.begins()) begin(from, request);
  if (!node.begun) return;
  if (request.op_count() != 0) on_ops(request.ops(), request.op_count(), wall_ms);
  for (const proto::StoreQuestion& each : request.questions()) on_question(from, each);
  for (const proto::StoreRoom& each : request.room()) attachments_.on_room(each);
  for (const proto::StorePiecesRead& each : request.read()) attachments_.on_read(each);
}

// What the node has and the state does not know any more was taken over; what the state has and the
// node does not say is on its way: a Connect that comes again, or a Detach.
void ShardServer::begin(NodeId from, const proto::StoreRequest& request) {
  Node& node = nodes_[from];
  node.begun = true;
  node.beginning = request.beginning();
  replies_.erase(from);
  for (const proto::StoreAttachment& each : request.attached()) {
    const std::optional<shard::SessionRecord> session = state_.session(each.client_id());
    const bool is_there = session && session->attached && session->epoch == each.epoch();
    if (is_there) {
      const bool from_head = SHOAL_MUTATED("store-begins-at-head");
      attach(each.client_id(), *session, from_head ? session->queue.head : each.delivered() + 1);
    } else if (proto::StoreReply* const reply = reply_to(from, node.incarnation)) {
      proto::StoreEvicted* const evicted = reply->add_evicted();
      evicted->set_client_id(each.client_id());
      evicted->set_epoch(each.epoch());
      evicted->set_worker(each.worker());
    }
  }
}

void ShardServer::on_ops(std::string_view ops, uint32_t count, int64_t wall_ms) {
  if (!serving_) return;
  wall_ms_ = wall_ms;
  ops_ += ops;
  op_count_ += count;
  if (ops_.size() >= options_.entry_bytes) close_entry();
}

void ShardServer::on_question(NodeId from, const proto::StoreQuestion& question) {
  proto::StoreReply* const reply = reply_to(from, nodes_[from].incarnation);
  if (reply == nullptr) return;
  const std::optional<shard::SessionRecord> session = state_.session(question.client_id());
  bool stored = session.has_value();
  if (session && !session->attached) {
    stored = session->expires_at == 0 || session->expires_at > static_cast<uint64_t>(wall_ms_);
  }
  if (question.connect_number() != 0) {
    stored = session && session->attached && session->node == from &&
             session->incarnation == nodes_[from].incarnation &&
             session->worker == question.worker() &&
             session->connect_number == question.connect_number();
    if (stored) tell_connected(question.client_id(), *session);
  }
  proto::StoreAnswer* const answer = reply->add_answers();
  answer->set_token(question.token());
  answer->set_stored(stored);
}

// ---- answers

void ShardServer::on_targets(uint64_t number, uint64_t shards) {
  outbox_.on_targets(number, shards);
}

void ShardServer::on_picks(uint64_t number, std::vector<shard::OutboxPick> picks) {
  if (serving_) add(shard::OutboxPickedOp{number, std::move(picks)});
}

void ShardServer::on_published(uint64_t number) { outbox_.on_published(number); }

void ShardServer::on_outbox_answer(uint32_t from, const OutboxSender::Answer& answer) {
  outbox_.on_answer(from, answer);
}

void ShardServer::on_shard_leader(uint32_t shard) {
  outbox_.on_shard_leader(shard);
  sharers_.note_all();
}

void ShardServer::on_want(const std::string& group, const std::string& client_id, uint32_t room) {
  if (serving_) takers_.on_want(group, client_id, room);
}

void ShardServer::on_retained(const ServerEffects::RetainedQuery& query,
                              std::span<const shard::MessageSpec> messages,
                              const std::string& after, bool done) {
  const auto it = replays_.find({query.client_id, query.filter});
  if (!serving_ || it == replays_.end() || it->second != kReplayAsked) return;
  shard::ReplayPortionOp op{.client_id = query.client_id,
                            .filter = query.filter,
                            .replay = query.replay,
                            .from = query.after,
                            .next = after,
                            .done = done};
  op.messages.assign(messages.begin(), messages.end());
  add(op);
  it->second = entries_made_ + 1;
}

// ---- time, and the end of a turn

void ShardServer::on_tick(int64_t wall_ms) {
  wall_ms_ = wall_ms;
  if (!serving_) return;
  outbox_.on_tick();
  holds_.on_tick();
  takers_.on_tick();
  if (++ticks_ % kSayWantsTicks == 0) sharers_.note_all();
  if (is_ticking_ || state_.next_due() > static_cast<uint64_t>(wall_ms)) return;
  add(shard::TickOp{});
  is_ticking_ = true;
  tick_entry_ = entries_made_ + 1;
}

template <class Op>
void ShardServer::add(const Op& op) {
  shard::append_op(op, std::nullopt, ops_);
  ++op_count_;
}

void ShardServer::close_entry() {
  if (op_count_ == 0) return;
  shard::EntryBuilder entry(static_cast<uint64_t>(std::max<int64_t>(wall_ms_, 0)));
  entry.add_encoded(ops_, op_count_);
  effects_.entries.push_back(entry.finish());
  ops_.clear();
  op_count_ = 0;
  ++entries_made_;
}

void ShardServer::pump_replays() {
  for (auto it = replays_.begin(); it != replays_.end();) {
    const auto& [client_id, filter] = it->first;
    const bool may_ask = it->second != kReplayAsked && it->second <= entries_applied_;
    if (!may_ask) {
      ++it;
      continue;
    }
    const std::optional<shard::ReplayRecord> replay = state_.replay(client_id, filter);
    if (!replay) {
      it = replays_.erase(it);
      continue;
    }
    const std::optional<shard::SessionRecord> session = state_.session(client_id);
    if (session && session->queue.queued < kReplayQueued) {
      effects_.retained_queries.push_back({client_id, filter, replay->id, replay->cursor});
      it->second = kReplayAsked;
    }
    ++it;
  }
}

uint64_t ShardServer::add_barrier() {
  add(shard::TickOp{});
  return entries_made_ + 1;
}

// While it is held, what was sent before may be answered, but nobody gets what the state that is pinned
// meanwhile may not have: items that are new, and where those of shared subscriptions go.
void ShardServer::pump_outbox() {
  const bool is_held = holds_.any();
  const bool reads = !is_held || SHOAL_MUTATED("backup-new-items-sent");
  OutboxSender::Pumped outbox = outbox_.pump(state_, effects_, reads);
  for (const std::string& member : outbox.members) sharers_.note(member);
  std::move(outbox.done.begin(), outbox.done.end(), std::back_inserter(answered_));
  if (!answered_.empty() && (!is_held || SHOAL_MUTATED("backup-without-hold"))) {
    add(shard::OutboxDoneOp{std::exchange(answered_, {})});
  }
  if (is_held) return;
  std::move(picked_.begin(), picked_.end(), std::back_inserter(effects_.picked));
  picked_.clear();
}

ServerEffects& ShardServer::end_turn() {
  // Before the hub has said anything it may not listen yet. It has before this serves.
  const bool is_heard = !nodes_.empty() || applied_index_ != 0 || serving_;
  if (is_heard && !sessions_.empty()) effects_.sessions = std::exchange(sessions_, {});
  if (!serving_) return effects_;
  pump_outbox();
  answer_subscribing();
  for (const Takers::Take& take : takers_.pump(state_, entries_made_ + 1)) {
    add(shard::TakeOp{take.group, take.client_id, take.version, take.count});
  }
  pump_replays();
  attachments_.pump(state_, wall_ms_, [this](NodeId node, uint64_t incarnation) {
    return reply_to(node, incarnation);
  });
  sharers_.pump(state_, attachments_, effects_.wants);
  close_entry();
  for (auto& [node, reply] : replies_) {
    reply.set_shard(options_.shard);
    reply.set_term(term_);
    effects_.replies.push_back({node, routes_version_, std::move(reply)});
  }
  replies_.clear();
  return effects_;
}

}  // namespace shoal::replica
