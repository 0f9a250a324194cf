// SUBSCRIBE and UNSUBSCRIBE. A subscription works at this worker at once; SUBACK leaves when every
// other place knows of it, so that whoever acts on SUBACK misses nothing; of a durable session also when
// the store has it.
#include <algorithm>

#include "node/broker/core.h"
#include "node/rules/topic.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

void Core::on_subscribe(Connection& c, const Frame& frame) {
  Subscribe in;
  if (const DecodeStatus status = decode_subscribe(frame, c.version, in); !status.ok()) {
    return protocol_error(c, status);
  }
  PendingSubAck pending;
  pending.conn = c.id;
  // [MQTT5-3.8.4-2] [MQTT5-2.2.1-6] [MQTT311-3.8.4-2] [MQTT311-2.3.1-7]
  pending.packet_id = in.packet_id;
  pending.batch = route_batch_;
  const uint32_t identifier = in.subscription_identifier.value_or(0);
  // One after the other, as if each had come alone [MQTT5-3.8.4-5] [MQTT311-3.8.4-4].
  for (const SubscriptionRequest request : in.subscriptions) {
    pending.reasons.push_back(subscribe(c, request, identifier, pending));
  }
  waits_more(c);
  if (!pending.changes.empty()) return ask_store_for(*c.session, std::move(pending));
  subacks_.push_back(std::move(pending));
  flush_subacks();
}

ReasonCode Core::subscribe(Connection& c, const SubscriptionRequest& request, uint32_t identifier,
                           PendingSubAck& pending) {
  Session& s = *c.session;
  const auto shared = parse_shared(request.filter);
  const std::string_view plain = shared ? shared->filter : request.filter;
  if (s.access && !s.access->may_subscribe(plain)) return ReasonCode::kNotAuthorized;
  if (subscription_count(s) >= config_.limits.subscriptions_max &&
      !has_subscription(s, request.filter)) {
    return ReasonCode::kQuotaExceeded;
  }
  SubscriptionOptions options;
  options.qos = std::min(request.qos, config_.listeners[c.listener].max_qos);  // [MQTT5-3.2.2-10]
  options.no_local = request.no_local;
  options.retain_as_published = request.retain_as_published;
  options.identifier = identifier;
  // The same filter again replaces the options and nothing else, so that no message is lost
  // [MQTT5-3.8.4-4].
  bool existed = false;
  if (s.is_stored()) {
    existed = subscribe_stored(s, request.filter, shared.has_value(), options, pending);
  } else {
    const SubscribeResult result = router_.subscribe(s.index, request.filter, options);
    if (result.announces) pending.batch = route_batch_ + 1;
    existed = result.existed;
    if (shared && s.slow) router_.set_slow(s.index, true);
  }
  // Never for a shared subscription (4.8.2). Handling 1: only if it is new [MQTT5-3.3.1-10], 2: not
  // at all [MQTT5-3.3.1-11]; 3.x always [MQTT311-3.3.1-6].
  const bool wanted = request.retain_handling == 0 ||  // [MQTT5-3.3.1-9]
                      (request.retain_handling == 1 && !existed);
  if (wanted && !shared) {
    Replay replay;
    replay.filter = std::string(request.filter);
    replay.options = options;
    replay.system = request.filter.starts_with("$SYS");
    pending.replays.push_back(std::move(replay));
    if (s.is_stored()) pending.changes.back().replay = options.qos != Qos::k0;
  }
  return static_cast<ReasonCode>(options.qos);  // [MQTT5-3.8.4-7]
}

// Filters that this worker did not want before, or no longer wants, go to the hub once a turn.
void Core::announce_routes() {
  std::vector<RouteChange> changes = router_.take_route_changes();
  if (changes.empty()) return;
  current_.to_hub.push_back(RouteBatch{++route_batch_, std::move(changes)});
}

void Core::flush_subacks() {
  const auto is_synced = [this](const PendingSubAck& pending) {
    return routes_synced_ >= pending.batch || SHOAL_MUTATED("suback-before-routes");
  };
  while (!subacks_.empty() && has_lease() && is_synced(subacks_.front())) {
    PendingSubAck pending = std::move(subacks_.front());
    subacks_.pop_front();
    Connection* const c = find(pending.conn);
    if (!c || c->phase != Phase::kConnected) continue;
    waits_less(*c);
    send_suback(*c, pending);
    if (c->open()) start_replays(*c->session, pending.replays);
  }
}

// [MQTT5-3.8.4-1] [MQTT5-3.8.4-6] [MQTT311-3.8.4-1] [MQTT311-3.8.4-5]
void Core::send_suback(Connection& c, const PendingSubAck& pending) {
  SubAck out;
  out.packet_id = pending.packet_id;
  out.reasons = ReasonCodes(std::span<const ReasonCode>(pending.reasons));  // [MQTT5-3.9.3-1]
  const auto refused = std::find_if(pending.reasons.begin(), pending.reasons.end(), is_error);
  if (refused != pending.reasons.end()) explain(c, out, name_of(*refused));  // [MQTT5-3.9.2-1]
  if (encoded_size(out, c.version) > c.packet_size_max) {
    return close(c, ReasonCode::kPacketTooLarge, "SUBACK above Maximum Packet Size");
  }
  write(c, out);
}

void Core::on_unsubscribe(Connection& c, const Frame& frame) {
  Unsubscribe in;
  if (const DecodeStatus status = decode_unsubscribe(frame, c.version, in); !status.ok()) {
    return protocol_error(c, status);
  }
  // No new messages from here on [MQTT5-3.10.4-2] [MQTT311-3.10.4-2]; what is in flight or queued goes
  // its way [MQTT5-3.10.4-3] [MQTT311-3.10.4-3].
  Session& s = *c.session;
  std::vector<ReasonCode> reasons;  // [MQTT5-3.11.3-1]
  SessionUnsubscribe stored;
  for (const std::string_view filter : in.filters) {
    const bool existed =
        s.is_stored()
            ? unsubscribe_stored(s, filter)
            : router_.unsubscribe(s.index, filter);  // [MQTT5-3.10.4-1] [MQTT311-3.10.4-1]
    if (s.replaying) cancel_replays_of(s, filter);
    forget_replays_to_come(c, filter);
    if (existed && s.is_stored()) stored.filters.emplace_back(filter);
    reasons.push_back(existed ? ReasonCode::kSuccess : ReasonCode::kNoSubscriptionExisted);
  }
  if (stored.filters.empty()) return send_unsuback(c, in.packet_id, reasons);
  stored.client_id = s.client_id;
  stored.epoch = s.durable->epoch;
  waits_more(c);
  const uint64_t number = submit(std::move(stored));
  store_numbers_.expect(number, {c.id, WaitingUnsubAck{in.packet_id, std::move(reasons)}});
}

void Core::send_unsuback(Connection& c, uint16_t packet_id,
                         const std::vector<ReasonCode>& reasons) {
  UnsubAck out;  // [MQTT5-3.10.4-4] [MQTT5-3.10.4-5] [MQTT311-3.10.4-4] [MQTT311-3.10.4-5]
  out.packet_id = packet_id;  // one for all of them [MQTT5-3.10.4-6] [MQTT311-3.10.4-6]
  out.reasons = ReasonCodes(std::span<const ReasonCode>(reasons));
  if (encoded_size(out, c.version) > c.packet_size_max) {
    return close(c, ReasonCode::kPacketTooLarge, "UNSUBACK above Maximum Packet Size");
  }
  write(c, out);
}

// Those of a SUBACK that waits: UNSUBACK may overtake it.
void Core::forget_replays_to_come(const Connection& c, std::string_view filter) {
  for (PendingSubAck& pending : subacks_) {
    if (pending.conn != c.id) continue;
    std::erase_if(pending.replays, [&](const Replay& replay) { return replay.filter == filter; });
  }
}

void Core::on_route_update(RouteUpdate&& update) {
  for (const PlacedRoute& route : update.routes) router_.apply(route);
  current_.to_hub.push_back(RoutesApplied{update.number});
}

}  // namespace shoal
