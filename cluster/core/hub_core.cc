#include "cluster/core/hub_core.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "shoal/assert.h"

namespace shoal {
namespace {

// A lane is acknowledged when so much has come, and otherwise with the next tick.
constexpr size_t kAckBytes = 128 * 1024;
// Longer between two ticks: this process stood still, and what it has not heard is in its sockets.
constexpr Duration kStall = Duration::millis(500);

template <typename Message>
bool parse(std::span<const uint8_t> body, Message& message) {
  return message.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

// `expect` as it is meant: a node without seeds is a cluster of its own.
HubConfig with_defaults(HubConfig config) {
  if (config.expect == 0 && config.join.empty()) config.expect = 1;
  return config;
}

}  // namespace

HubCore::HubCore(HubConfig config, StoredState stored, uint64_t seed)
    : context_(with_defaults(std::move(config)), stored, seed),
      cluster_(stored.cluster),
      members_(stored.members),
      links_(context_),
      founding_(context_),
      leases_(context_, members_),
      routes_(
          context_, [this] { return open_pairs(); }, [this] { return waited_for(); }),
      forwarding_(context_, routes_, leases_),
      claims_(context_, {.open_pairs = [this] { return open_pairs(); },
                         .asked = [this] { return needed(); },
                         .reachable = [this](NodeId id) { return reachable(id); },
                         .is_nothing_stored =
                             [this](const std::string& client_id) {
                               return closing_ == 0 && store_ &&
                                      store_->is_nothing_stored(client_id);
                             }}),
      retained_(
          context_, forwarding_, [this] { return open_pairs(); }, [this] { return needed(); }),
      store_founding_(stored.store),
      is_store_founded_(stored.has_store),
      placing_(context_, members_, leases_, store_founding_, store_,
               {.pair_of = [this](NodeId id) { return find_pair(id); },
                .open_pairs = [this] { return open_pairs(); }}) {
  SHOAL_ASSERT(context_.self && context_.life.incarnation != 0);
  SHOAL_ASSERT(context_.level >= kProtocolMin && context_.level <= context_.config.protocol_max);
  SHOAL_ASSERT(context_.config.workers >= 1 && context_.config.workers <= kWorkersMax);
  if (context_.config.shards == 0) return;
  store_ = std::make_unique<HubStore>(
      context_, routes_, forwarding_, retained_,
      HubStore::Surroundings{
          .waited_for = [this] { return waited_for(); },
          .pair_of = [this](NodeId id) { return find_pair(id); },
          .pair_at = [this](NodeSlot slot) { return pair_at(slot); },
          .may_promise = [this] { return published_until_ > context_.now.mono; }});
  backing_up_ = std::make_unique<BackingUp>(
      context_, *store_, retained_,
      BackingUp::Surroundings{
          .name_of =
              [this](NodeId id) {
                const StoredMember* const member = members_.find(id);
                return member != nullptr ? member->name : absl::StrFormat("%016x", id.value);
              },
          .why_not = [this] { return why_no_backup(); },
          .answer = [this](uint64_t token, bool ok,
                           std::string text) { answer(token, ok, std::move(text)); }});
  retained_.keep_on_disk();
  retained_.on_hub_write([this](uint64_t number) { store_->on_retain_done(number); });
}

void HubCore::on_start(Now now) {
  context_.now = now;
  last_tick_ = told_why_at_ = now.mono;
  leases_.on_start();
  if (cluster_ && members_.merge(own_entry())) store(stored_state(), [] {});
  leases_.on_members();
  if (!cluster_) found_step();
  open_store();
  heartbeat();
  settle();
}

void HubCore::on_tick(Now now) {
  context_.now = now;
  if (now.mono - last_tick_ > kStall) links_.on_stall();
  last_tick_ = now.mono;
  std::vector<Link> closed;
  links_.close_silent(context_.config.limits.lease, closed);
  for (const Link& link : closed) lose_link(link);
  dial();
  if (now.mono - last_heartbeat_ >= context_.config.limits.heartbeat_interval) heartbeat();
  for (Pair* const pair : open_pairs()) acknowledge(*pair, 1);
  check_left();
  check_goodbye();
  raise_level();
  claims_.on_tick();
  retained_.on_tick(published_until_ > now.mono);
  if (store_) {
    store_->on_tick();
    placing_.on_tick();
    backing_up_->on_tick();
    give_leaderships();
    check_handed_over();
  }
  log_readiness();
  settle();
}

void HubCore::heartbeat() {
  last_heartbeat_ = context_.now.mono;
  if (!cluster_) found_step();
  send_states();
}

// ---- workers ------------------------------------------------------------------------------------

void HubCore::on_worker(WorkerIndex from, ToHub&& mail, Now now) {
  SHOAL_ASSERT(from < context_.config.workers);
  context_.now = now;
  std::visit([this, from](auto&& one) { on_mail(from, std::move(one)); }, std::move(mail));
}

void HubCore::on_mail(WorkerIndex from, RouteBatch&& mail) { routes_.on_batch(from, mail); }

void HubCore::on_mail(WorkerIndex from, RoutesApplied&& mail) {
  routes_.on_applied(from, mail.number);
  on_routes_applied();
}

void HubCore::on_mail(WorkerIndex from, ForwardOut&& mail) {
  forwarding_.on_forward(pair_at(mail.node), from, std::move(mail.batch));
}

void HubCore::on_mail(WorkerIndex from, AcceptOut&& mail) {
  if (mail.origin.node == kShards) {
    if (store_) store_->on_accept(from, mail);
    return;
  }
  Pair* const pair = pair_at(mail.origin.node);
  forwarding_.on_accept(pair, from, std::move(mail));
}

void HubCore::on_mail(WorkerIndex from, ForwardConsumed&& mail) {
  Pair* const pair = pair_at(mail.node);
  forwarding_.on_consumed(pair, from, mail.bytes);
  if (pair != nullptr && pair->is_open()) acknowledge(*pair, kAckBytes);
}

void HubCore::on_mail(WorkerIndex from, ClaimRequest&& mail) {
  const bool has_shards = !store_ || store_->is_open();
  std::optional<ClaimAnswer::Outcome> refusal;
  if (!is_in_cluster() || !has_shards || closing_ != 0 || is_draining_) {
    refusal = ClaimAnswer::Outcome::kUnavailable;
  }
  if (has_left()) refusal = ClaimAnswer::Outcome::kLeft;
  claims_.on_request(from, mail, refusal);
}

void HubCore::on_mail(WorkerIndex from, ClaimWithdraw&& mail) { claims_.on_withdraw(from, mail); }

void HubCore::on_mail(WorkerIndex from, ClaimRelease&& mail) { claims_.on_release(from, mail); }

void HubCore::on_mail(WorkerIndex from, ClaimMove&& mail) { claims_.on_move(from, mail); }
void HubCore::on_mail(WorkerIndex from, EvictDone&& mail) { claims_.on_evict_done(from, mail); }

void HubCore::on_mail(WorkerIndex from, EvictRefused&& mail) {
  claims_.on_evict_refused(from, mail);
}

void HubCore::on_mail(WorkerIndex from, RetainWrite&& mail) {
  retained_.on_write(from, std::move(mail));
}

void HubCore::on_mail(WorkerIndex from, RetainedQuery&& mail) {
  retained_.on_query(from, std::move(mail));
}

void HubCore::on_mail(WorkerIndex from, AllClosed&&) {
  if (closing_ == 0) return;
  closing_ &= ~bit_of(from);
  if (closing_ == 0) on_all_closed();
}

void HubCore::on_mail(WorkerIndex from, ToStore&& mail) {
  if (closing_ == 0) return store_->on_worker(from, std::move(mail));
  // What the worker asks once it has closed all is of the life that begins when all have.
  if ((closing_ & bit_of(from)) == 0) asked_early_.emplace_back(from, std::move(mail));
}

// ---- frames -------------------------------------------------------------------------------------

void HubCore::on_frame(LinkId id, Lane lane, std::span<const uint8_t> bytes, Now now) {
  context_.now = now;
  Link* const link = links_.find(id);
  if (link == nullptr || !link->up) return;
  const std::optional<ParsedFrame> frame = parse_frame(bytes);
  if (!frame) return refuse(*link, "not a frame of a known format");
  if (frame->header.kind == FrameKind::kHello) return on_hello(*link, *frame);
  if (frame->header.kind == FrameKind::kRefuse) {
    proto::Refuse refused;
    if (parse(frame->body, refused)) on_refuse(*link, refused);
    return;
  }
  // Between lanes there is no order, and a frame may come before the hello.
  if (!link->peer) return;
  Pair& pair = *find_pair(link->peer);
  if (frame->header.sender != pair.id() || frame->header.incarnation != pair.life.incarnation) {
    return refuse(*link, "a frame of another node");
  }
  link->last_heard = now.mono;
  if (frame->header.number == 0 ? on_unnumbered(*link, pair, *frame)
                                : on_numbered(pair, lane, *frame)) {
    return;
  }
  if (Link* const left = links_.find(id)) refuse(*left, "a frame that breaks the protocol");
}

bool HubCore::on_unnumbered(Link& link, Pair& pair, const ParsedFrame& frame) {
  switch (frame.header.kind) {
    case FrameKind::kState: {
      proto::State state;
      return parse(frame.body, state) && on_state(link, pair, state);
    }
    case FrameKind::kStateAnswer: {
      proto::StateAnswer answer;
      if (!parse(frame.body, answer)) return false;
      if (answer.clock() <= context_.now.mono.ns) {
        rtt_[pair.id()] = context_.now.mono - Instant{answer.clock()};
      }
      leases_.on_answer(pair, answer);
      check_goodbye();
      forwarding_.release(pair);
      settle();
      return true;
    }
    case FrameKind::kLaneAck: {
      proto::LaneAck ack;
      if (!parse(frame.body, ack)) return false;
      if (!pair.is_open() || frame.header.session != pair.session()) return true;
      std::vector<uint64_t> tokens;
      if (!pair.on_received(ack.received(), false, tokens)) return false;
      forwarding_.on_credit(pair, ack.credit());
      pump(pair);
      on_tokens(pair, tokens);
      return true;
    }
    case FrameKind::kRaft:
      return !store_ || !pair.is_open() || frame.header.session != pair.session() ||
             store_->on_frame(pair, frame);
    default: return true;  // of a later version
  }
}

bool HubCore::on_numbered(Pair& pair, Lane lane, const ParsedFrame& frame) {
  if (!pair.is_open() || frame.header.session != pair.session()) return true;
  switch (pair.accept(lane, frame.header.number)) {
    case LaneIn::Verdict::kRepeat: return true;
    case LaneIn::Verdict::kGap: return false;
    case LaneIn::Verdict::kNew: break;
  }
  received_bytes_[pair.id()] += frame.body.size() + kFrameHeaderBytes;
  if (lane == Lane::kControl) {
    if (!on_control(pair, frame)) return false;
  } else if (!on_data(pair, lane, frame)) {
    return false;
  }
  if (pair.is_open()) acknowledge(pair, kAckBytes);
  return true;
}

bool HubCore::on_data(Pair& pair, Lane lane, const ParsedFrame& frame) {
  switch (frame.header.kind) {
    case FrameKind::kBatch:
    case FrameKind::kRetained:
    case FrameKind::kOutbox: break;
    default: return on_store_frame(pair, frame);
  }
  OtherParcel other;
  if (!forwarding_.on_piece(pair, lane, frame, other)) return false;
  if (auto* const retained = std::get_if<RetainedParcel>(&other)) {
    return retained_.on_parcel(pair, std::move(*retained));
  }
  if (auto* const outbox = std::get_if<OutboxParcel>(&other)) {
    if (store_) store_->on_parcel(pair, std::move(*outbox));
  }
  return true;
}

bool HubCore::on_control(Pair& pair, const ParsedFrame& frame) {
  const auto with = [&frame](auto message, auto handle) {
    return parse(frame.body, message) && handle(message);
  };
  switch (frame.header.kind) {
    case FrameKind::kMembers:
      return with(proto::Members(), [&](const proto::Members& heard) {
        if (members_.merge(heard)) on_members_changed();
        return true;
      });
    case FrameKind::kRoutesChunk:
      return with(proto::RoutesChunk(), [&](const auto& m) { return routes_.on_chunk(pair, m); });
    case FrameKind::kRoutesDelta:
      return with(proto::RoutesDelta(), [&](const auto& m) { return routes_.on_delta(pair, m); });
    case FrameKind::kRoutesWanted: routes_.on_wanted(pair); return true;
    case FrameKind::kRoutesApplied:
      return with(proto::RoutesApplied(), [&](const proto::RoutesApplied& applied) {
        if (!routes_.on_peer_applied(pair, applied.version())) return false;
        on_routes_applied();
        return true;
      });
    case FrameKind::kClaim:
      return with(proto::Claim(), [&](const auto& m) { return claims_.on_peer_claim(pair, m); });
    case FrameKind::kClaims:
      return with(proto::Claims(), [&](const auto& m) { return claims_.on_peer_claims(pair, m); });
    case FrameKind::kClaimReply:
      return with(proto::ClaimReply(), [&](const proto::ClaimReply& reply) {
        claims_.on_reply(pair, reply);
        return true;
      });
    case FrameKind::kRetainedDigest:
      return with(proto::RetainedDigest(), [&](const proto::RetainedDigest& message) {
        retained_.on_digest(pair, message.digest(), message.as_of_ms());
        return true;
      });
    case FrameKind::kShardPlacement:
      return with(proto::ShardPlacement(), [&](const proto::ShardPlacement& told) {
        return placing_.on_told(pair.id(), told);
      });
    case FrameKind::kRetainedWanted: retained_.on_wanted(pair); return true;
    case FrameKind::kRetainedStored:
      return with(proto::RetainedStored(), [&](const proto::RetainedStored& message) {
        for (const uint64_t token : message.tokens()) retained_.on_stored(pair, token);
        return true;
      });
    case FrameKind::kAccept:
      return with(proto::Accept(),
                  [&](const auto& m) { return forwarding_.on_peer_accepts(pair, m); });
    default: return on_store_frame(pair, frame);
  }
}

// Or of a later version.
bool HubCore::on_store_frame(const Pair& pair, const ParsedFrame& frame) {
  const bool is_known = store_ && HubStore::is_store_frame(frame.header.kind);
  return !is_known || store_->on_frame(pair, frame);
}

void HubCore::acknowledge(Pair& pair, size_t step) {
  size_t& received = received_bytes_[pair.id()];
  if (received < step && !forwarding_.is_credit_due(pair, step)) return;
  if (!pair.is_resumed()) return;
  received = 0;
  proto::LaneAck ack;
  for (int lane = 0; lane < kLaneCount; ++lane) {
    ack.add_received(pair.received(static_cast<Lane>(lane)));
  }
  forwarding_.fill_credit(pair, ack.mutable_credit());
  pair.send_now(FrameKind::kLaneAck, ack);
}

void HubCore::on_tokens(const Pair& pair, const std::vector<uint64_t>& tokens) {
  for (const uint64_t token : tokens) {
    SHOAL_ASSERT(token == kLeaveToken);
    leave_waits_.erase(pair.id());
    check_left();
  }
}

// Room on its lanes for what is told it in portions.
void HubCore::pump(Pair& pair) {
  routes_.pump(pair);
  claims_.pump(pair);
  retained_.pump(pair);
}

void HubCore::on_stored(uint64_t token, Now now) {
  context_.now = now;
  const auto it = stores_.find(token);
  if (it == stores_.end()) return;
  const std::function<void()> then = std::move(it->second);
  stores_.erase(it);
  then();
  settle();
}

}  // namespace shoal
