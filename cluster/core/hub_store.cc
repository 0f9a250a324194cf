#include "cluster/core/hub_store.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "shoal/assert.h"
#include "shoal/byte_view.h"

namespace shoal {
namespace {

constexpr int kAnswersMax = 1000;  // in one frame
constexpr Duration kDropLogInterval = Duration::seconds(10);
constexpr int kDropLogLines = 20;
constexpr size_t kPieceBytes = 256 * 1024;
constexpr size_t kJoinedMax = size_t{1} << 30;

FrameKind kind_of(replica::StoreFrame kind) {
  return static_cast<FrameKind>(static_cast<uint8_t>(FrameKind::kStore) +
                                static_cast<uint8_t>(kind));
}

}  // namespace

HubStore::HubStore(Context& context, Routes& routes, Forwarding& forwarding, Retained& retained,
                   Surroundings around)
    : context_(context),
      routes_(routes),
      retained_(retained),
      around_(std::move(around)),
      publisher_(
          context, forwarding,
          {.pair_at = around_.pair_at,
           .pair_of = around_.pair_of,
           .deliver_here =
               [this](OutboxParcel&& parcel) { receiver_.on_parcel(kSelf, std::move(parcel)); },
           .targets =
               [this](uint32_t shard, uint64_t number, uint64_t shards) {
                 store_->on_targets(shard, {number, shards});
               },
           .published = [this](uint32_t shard,
                               uint64_t number) { store_->on_published(shard, number); },
           .to_group =
               [this](uint32_t shard, const std::string& group, const MessageRef& message,
                      const PickedItem& item) {
                 const uint64_t number = ++last_number_;
                 store_->on_worker(hub_worker(),
                                   ShardPublish{number, uint64_t{1} << shard, group, message, item},
                                   context_.now);
                 return number;
               },
           .retain =
               [this](const MessageRef& message) {
                 retained_.on_write(Retained::kHub, {++last_retain_, message});
                 return last_retain_;
               },
           .picks =
               [this](uint32_t shard, uint64_t number, std::vector<shard::OutboxPick> picks) {
                 store_->on_picks(shard, {number, std::move(picks)});
               },
           .nobody =
               [this](const std::string& group) {
                 note_drop(group, shard::DropReason::kGroupEnded);
               }}),
      receiver_(context, [this](NodeSlot to, const OutboxReceiver::Answer& answer) {
        on_answered(to, answer);
      }) {
  routes_.watch([this](const PlacedRoute& route) { publisher_.on_route(route); },
                [this](NodeSlot node) {
                  publisher_.on_routes_gone(node);
                  receiver_.on_node_gone(node);
                });
}

void HubStore::open(uint32_t shards, uint64_t cluster_seed,
                    const std::vector<StoredReplica>& replicas, raft::LogReader& log) {
  SHOAL_ASSERT(!store_);
  lead_terms_.assign(shards, 0);
  store_ = std::make_unique<replica::Store>(
      replica::Store::Options{
          .self = context_.self,
          .incarnation = store_life(context_.life),
          .seed = context_.random.next(),
          .shards = shards,
          .cluster_seed = cluster_seed,
          .workers = context_.config.workers + 1,  // the hub itself
          .piece_bytes = std::min(replica::kPieceBytes, context_.config.limits.bulk_piece_bytes)},
      replica::Store::Surroundings{.tell_workers =
                                       [this](std::vector<PlacedRoute> routes) {
                                         return routes_.tell_all(std::move(routes));
                                       },
                                   .applied = [this] { return routes_.applied_by_all(); },
                                   .waited_for = around_.waited_for},
      log);
  for (const StoredReplica& each : replicas) {
    store_->add(each.group, *each.recovered, context_.now);
  }
  for (const auto& [node, life] : gone_) store_->on_peer_gone(node, life, context_.now);
  begin_life();
}

// ---- this node ----------------------------------------------------------------------------------

void HubStore::on_worker(WorkerIndex from, ToStore&& mail) {
  SHOAL_ASSERT(store_);
  store_->on_worker(from, std::move(mail), context_.now);
}

void HubStore::begin_life() {
  if (!store_) return;
  store_->begin_life(store_life(context_.life), context_.now);
  publisher_.on_own_life();
}

void HubStore::check_routes() {
  if (store_) store_->check_routes(context_.now);
}

void HubStore::on_tick() {
  if (!store_) return;
  store_->on_tick(context_.now);
  if (!fresh_drops_.empty() && context_.now.mono >= next_drop_log_) log_drops();
}

const char* HubStore::name_of(shard::DropReason reason) {
  switch (reason) {
    case shard::DropReason::kExpired: return "expired";
    case shard::DropReason::kOldest: return "queue_full_oldest";
    case shard::DropReason::kNew: return "queue_full_new";
    case shard::DropReason::kShardFull: return "shard_full";
    case shard::DropReason::kGroupEnded: return "group_ended";
    case shard::DropReason::kSharedSent: return "shared_and_sent";
  }
  return "";
}

void HubStore::note_drop(std::string owner, shard::DropReason reason) {
  ++dropped_[reason];
  ++fresh_drops_[{std::move(owner), reason}];
}

void HubStore::log_drops() {
  next_drop_log_ = context_.now.mono + kDropLogInterval;
  int lines = 0;
  for (const auto& [which, count] : std::exchange(fresh_drops_, {})) {
    if (++lines > kDropLogLines) break;
    context_.log(HubEffects::Log::Level::kWarn,
                 absl::StrFormat("%d messages for %s are dropped: %s", count, which.first,
                                 name_of(which.second)));
  }
  if (lines <= kDropLogLines) return;
  context_.log(HubEffects::Log::Level::kWarn, "messages for others are dropped, too");
}

// ---- peers --------------------------------------------------------------------------------------

void HubStore::on_session(const Pair& pair) {
  SHOAL_ASSERT(store_);
  store_->on_peer(pair.id(), store_life(pair.life), context_.now);
  publisher_.on_session(pair.slot(), store_life(pair.life));
}

void HubStore::on_life(const Pair& pair) {
  if (!store_) return;
  store_->on_peer_life(pair.id(), store_life(pair.life), context_.now);
  publisher_.on_session(pair.slot(), store_life(pair.life));
}

void HubStore::on_session_end(const Pair& pair) {
  joined_.erase({pair.slot(), false});
  joined_.erase({pair.slot(), true});
  if (store_) store_->on_peer_end(pair.id(), context_.now);
}

void HubStore::on_gone(NodeId node, const Life& life) {
  const uint64_t number = store_life(life);
  if (const Pair* const pair = around_.pair_of(node)) publisher_.on_node_gone(pair->slot());
  if (store_) return store_->on_peer_gone(node, number, context_.now);
  gone_[node] = std::max(gone_[node], number);
}

bool HubStore::is_store_frame(FrameKind kind) {
  const auto value = static_cast<uint8_t>(kind);
  const auto first = static_cast<uint8_t>(FrameKind::kStore);
  return kind == FrameKind::kOutboxAnswers ||
         (value > first && value <= first + replica::kStoreFrames);
}

bool HubStore::on_frame(const Pair& pair, const ParsedFrame& frame) {
  if (frame.header.kind == FrameKind::kOutboxAnswers) {
    proto::OutboxAnswers message;
    if (!message.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()))) {
      return false;
    }
    for (const auto& each : message.answers()) {
      publisher_.on_answer(pair.slot(), each.shard(), each.number(), each.part(), each.placed());
    }
    return true;
  }
  SHOAL_ASSERT(store_);  // no session before it is open
  if (frame.header.kind == FrameKind::kRaft) {
    return store_->on_frame(pair.id(), replica::StoreFrame::kRaft, frame.body, context_.now);
  }
  const auto kind = static_cast<replica::StoreFrame>(static_cast<uint8_t>(frame.header.kind) -
                                                     static_cast<uint8_t>(FrameKind::kStore));
  std::vector<uint8_t>& joined = joined_[{pair.slot(), replica::is_bulk(kind)}];
  const bool is_more = (frame.header.flags & kFlagMore) != 0;
  if (joined.empty() && !is_more) {
    return store_->on_frame(pair.id(), kind, frame.body, context_.now);
  }
  if (joined.size() + frame.body.size() > kJoinedMax) return false;
  joined.insert(joined.end(), frame.body.begin(), frame.body.end());
  if (is_more) return true;
  const std::vector<uint8_t> whole = std::exchange(joined, {});
  return store_->on_frame(pair.id(), kind, whole, context_.now);
}

void HubStore::send(replica::StoreEffects::Frame& frame) {
  Pair* const pair = around_.pair_of(frame.to);
  if (pair == nullptr || !pair->is_open()) return;
  // Raft repeats what is lost, and what is late is of no use; but a large entry needs pieces.
  if (frame.kind == replica::StoreFrame::kRaft && frame.bytes.size() <= kPieceBytes) {
    return pair->send_now(FrameKind::kRaft, bytes_of(frame.bytes));
  }
  std::span<const uint8_t> left = bytes_of(frame.bytes);
  do {
    const auto piece = left.first(std::min(left.size(), kPieceBytes));
    left = left.subspan(piece.size());
    const FrameHeader what{.kind = kind_of(frame.kind),
                           .flags = left.empty() ? uint8_t{0} : kFlagMore};
    pair->send_piece(replica::is_bulk(frame.kind) ? Lane::kBulk : Lane::kControl, what, piece);
  } while (!left.empty());
}

// ---- outboxes -----------------------------------------------------------------------------------

// What a leader has open ends with its term: its successor finds it in the outbox again.
void HubStore::check_leads() {
  for (uint32_t shard = 0; shard < lead_terms_.size(); ++shard) {
    const uint64_t term = store_->lead_term(shard);
    if (std::exchange(lead_terms_[shard], term) == term) continue;
    publisher_.on_lead(shard, term);
    std::erase_if(publishes_, [shard](const replica::StoreEffects::Publish& each) {
      return each.shard == shard;
    });
  }
}

// Who may promise nothing does not know who is subscribed elsewhere.
void HubStore::publish_waiting() {
  while (!publishes_.empty() && around_.may_promise()) {
    replica::StoreEffects::Publish next = std::move(publishes_.front());
    publishes_.pop_front();
    publisher_.publish(std::move(next));
  }
}

void HubStore::on_answered(NodeSlot to, const OutboxReceiver::Answer& answer) {
  answers_[to].push_back(answer);
}

void HubStore::send_answers() {
  for (auto& [to, answers] : std::exchange(answers_, {})) {
    if (to == kSelf) {
      for (const auto& each : answers) {
        publisher_.on_answer(kSelf, each.shard, each.number, each.part, each.placed);
      }
      continue;
    }
    Pair* const pair = around_.pair_at(to);
    if (pair == nullptr || !pair->is_open()) continue;
    for (size_t at = 0; at < answers.size();) {
      proto::OutboxAnswers message;
      for (; at < answers.size() && message.answers_size() < kAnswersMax; ++at) {
        proto::OutboxAnswers::Answer* const out = message.add_answers();
        out->set_shard(answers[at].shard);
        out->set_number(answers[at].number);
        out->set_part(answers[at].part);
        out->set_placed(answers[at].placed);
      }
      pair->send(FrameKind::kOutboxAnswers, message);
    }
  }
}

// Retained messages that a subscription of a durable session is owed: those at QoS 0 come the live way.
void HubStore::answer_query(replica::StoreEffects::RetainedQuery& query) {
  RetainedTree::Portion portion =
      retained_.match(query.query.filter, query.query.after, context_.now);
  replica::RetainedFound found;
  found.query = std::move(query.query);
  found.after = std::move(portion.after);
  found.done = portion.done;
  for (MessageRef& each : portion.messages) {
    if (each->qos() != Qos::k0) found.messages.push_back(std::move(each));
  }
  store_->on_retained(query.shard, std::move(found));
}

// ---- the end of a turn --------------------------------------------------------------------------

void HubStore::on_host(uint32_t shard, replica::HostEffects&& effects) {
  if (store_) store_->on_host(shard, std::move(effects), context_.now);
}

void HubStore::on_persisted(raft::GroupId group, uint64_t number) {
  store_->on_persisted(group, number, context_.now);
}

void HubStore::on_flushed(uint32_t shard, raft::Index index) {
  store_->on_flushed(shard, index, context_.now);
}

bool HubStore::change(uint32_t shard, const raft::ChangeMember& change) {
  return store_->change(shard, change, context_.now);
}

bool HubStore::transfer(uint32_t shard, NodeId to) {
  return store_->transfer(shard, to, context_.now);
}

// What is published here gives the store and the publisher work again.
replica::StoreEffects* HubStore::end_turn() {
  if (!store_) return nullptr;
  check_leads();
  publish_waiting();
  send_answers();
  replica::StoreEffects& effects = store_->end_turn();
  while (!effects.publishes.empty() || !effects.picked.empty() || !answers_.empty() ||
         !effects.retained_queries.empty()) {
    for (const auto& each : std::exchange(effects.picked, {})) {
      publisher_.on_picked(each.shard, each.number);
    }
    check_leads();
    for (auto& each : std::exchange(effects.publishes, {})) publishes_.push_back(std::move(each));
    publish_waiting();
    for (auto& each : std::exchange(effects.retained_queries, {})) answer_query(each);
    send_answers();
    store_->end_turn();
  }
  for (replica::StoreEffects::Frame& each : effects.frames) send(each);
  effects.frames.clear();
  for (replica::ClientEffects::Mail& each : effects.mails) {
    if (each.worker != hub_worker()) {
      context_.mail(bit_of(each.worker), std::move(each.mail));
    } else if (const auto* const done = std::get_if<SessionDone>(&each.mail)) {
      publisher_.on_shard_has(done->number);
    }
  }
  effects.mails.clear();
  for (shard::Effects::Drop& each : effects.drops) {
    note_drop(std::move(each.owner), each.reason);
  }
  effects.drops.clear();
  return &effects;
}

}  // namespace shoal
