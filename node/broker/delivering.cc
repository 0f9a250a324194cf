// Messages to one session: at once, or in its queue until there is room; and the acknowledgements that
// come back for them.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {
namespace {

constexpr uint8_t kDupFlag = 0x08;  // of the fixed header

}  // namespace

// ---- QoS 0 ------------------------------------------------------------------------------------------

void Core::send_unreliable(Session& s, Publication& p, Outgoing how) {
  if (!s.connection) return;  // DUP is never set [MQTT5-3.3.1-2] [MQTT5-4.3.1-1] [MQTT311-4.3.1-1]
  if (s.connection->output.bytes() >= config_.limits.output_bytes_max) {
    return drop(DropReason::kOutputFull);
  }
  write_publish(*s.connection, p, how);
}

// ---- QoS 1 and 2 --------------------------------------------------------------------------------------

void Core::send_reliable(Session& s, Publication& p, Outgoing how,
                         std::unique_ptr<DeliveryExtra> extra) {
  Delivery delivery;
  delivery.qos = how.qos;
  delivery.retain = how.retain;
  const bool at_once = s.queue.empty() && !s.dismissed && can_send(s);
  if (!at_once || s.keeps_copies) {
    delivery.message = p.reference();
    if (!extra && !how.identifiers.empty()) {
      extra = std::make_unique<DeliveryExtra>();
      extra->identifiers.assign(how.identifiers.begin(), how.identifiers.end());
    }
  }
  delivery.extra = std::move(extra);
  if (!at_once) return enqueue(s, p, std::move(delivery));
  how.packet_id = s.inflight.next_packet_id();
  start(s, std::move(delivery), p, how);
}

// Whether a PUBLISH may leave now: the client's quota [MQTT5-3.3.4-9] [MQTT5-4.9.0-2], identifiers,
// what must be sent again first, the memory that unacknowledged messages take, and the output, which
// takes more once it has come down.
bool Core::can_send(Session& s) {
  Connection* const c = s.connection;
  if (!c || s.quota_used >= c->window || s.resend_next != s.inflight.span() ||
      !s.inflight.has_room() || s.inflight.held_bytes() >= config_.limits.queued_bytes_max) {
    return false;
  }
  if (c->output.bytes() < config_.limits.output_bytes_low) return true;
  c->output.want_room(true);
  return false;
}

// Sends a new message, under the next packet identifier [MQTT5-4.3.2-1] [MQTT5-4.3.3-1]
// [MQTT311-4.3.2-1], with DUP 0 whatever the publisher's was [MQTT5-3.3.1-3] [MQTT311-3.3.1-3]
// [MQTT5-4.3.2-2] [MQTT5-4.3.3-2]; it is open until the client says that it has it [MQTT5-4.3.2-3]
// [MQTT5-4.3.3-3] [MQTT311-4.3.3-1].
void Core::start(Session& s, Delivery delivery, Publication& p, const Outgoing& how) {
  Connection& c = *s.connection;
  SHOAL_ASSERT(how.packet_id == s.inflight.next_packet_id());
  if (!write_publish(c, p, how)) return member_has_it(delivery);  // as if sent [MQTT5-3.1.2-25]
  delivery.state = DeliveryState::kPublished;
  delivery.sent_before = true;
  delivery.in_quota = true;
  delivery.sent_at = tick_of(now_.mono);
  // A session that ends with its connection never sends it again (5.0: 4.4).
  if (!s.keeps_copies) delivery.message = MessageRef();
  s.inflight.push(std::move(delivery));
  ++s.resend_next;
  ++s.quota_used;
  watch_for_answer(s);
}

// Of a 3.x client, while it is connected: retry() looks after what it leaves unanswered.
void Core::watch_for_answer(Session& s) {
  const Duration interval = config_.limits.retry_interval;
  if (s.timer != kNoTimer || interval.ns == 0) return;
  if (s.connection->version == ProtocolVersion::kMqtt5) return;
  s.timer = timers_.add(now_.mono + interval, {s.index, s.generation, TimerKind::kSession});
}

bool Core::is_full(const Session& s) const {
  return s.dismissed || s.queue.size() >= config_.limits.queued_max ||
         s.queued_bytes >= config_.limits.queued_bytes_max;
}

// A live session takes every message, but above its limit the publisher waits; an absent one drops.
// [MQTT311-3.1.2-5]
void Core::enqueue(Session& s, Publication& p, Delivery delivery) {
  const bool full = is_full(s);
  if (full && !s.connection && !make_room(s)) return member_has_it(delivery);
  count_queued(s, delivery, true);
  s.queue.push_back(std::move(delivery));
  if (full && s.connection && !SHOAL_MUTATED("full-queue-accepts")) withhold(s, p);
}

bool Core::make_room(Session& s) {
  if (config_.queue_policy == BrokerConfig::QueuePolicy::kRejectNew) {
    drop(DropReason::kQueueFull);
    return false;
  }
  while (is_full(s) && !s.queue.empty()) drop_oldest(s);
  return !is_full(s);
}

void Core::drop_oldest(Session& s) {
  Delivery oldest = s.queue.pop_front();
  ++s.queue_begin;
  count_queued(s, oldest, false);
  member_has_it(oldest);
  drop(DropReason::kQueueFull);
}

// A session that lost its connection may hold more than an absent one keeps.
void Core::trim_queue(Session& s) {
  while (s.queue.size() > config_.limits.queued_max ||
         s.queued_bytes > config_.limits.queued_bytes_max) {
    drop_oldest(s);
  }
}

void Core::count_queued(Session& s, const Delivery& delivery, bool in) {
  const size_t bytes = delivery.message->bytes();
  s.queued_bytes = in ? s.queued_bytes + bytes : s.queued_bytes - bytes;
  counters_.queued_now = in ? counters_.queued_now + 1 : counters_.queued_now - 1;
  counters_.queued_bytes_now =
      in ? counters_.queued_bytes_now + bytes : counters_.queued_bytes_now - bytes;
}

void Core::withhold(Session& s, Publication& p) {
  Ticket* const ticket = ticket_of(p);
  ++ticket->pending;
  s.need_extra().withheld.push_back({s.queue_begin + s.queue.size() - 1, ticket, now_.mono});
  if (s.over_limit_listed) return;
  s.over_limit_listed = true;
  over_limit_.emplace_back(s.index, s.generation);
}

void Core::release_withheld(Session& s) {
  if (!s.extra) return;
  Ring<Withheld>& withheld = s.extra->withheld;
  const Limits& limits = config_.limits;
  while (!withheld.empty()) {
    const bool has_room = !s.dismissed &&
                          withheld.front().position < s.queue_begin + limits.queued_max &&
                          s.queued_bytes < limits.queued_bytes_max;
    if (!has_room && s.connection) return;
    progress(withheld.pop_front().ticket);
  }
}

// A live subscriber is never skipped: one that is over its limit for too long is disconnected.
void Core::check_slow() {
  const Instant limit = now_.mono - config_.limits.slow_timeout;
  for (size_t i = 0; i < over_limit_.size();) {
    Session* const s = sessions_.find(over_limit_[i].first, over_limit_[i].second);
    const bool over = s && s->connection && s->extra && !s->extra->withheld.empty();
    if (over && s->extra->withheld.front().since > limit) {
      ++i;
      continue;
    }
    if (s) s->over_limit_listed = false;
    over_limit_[i] = over_limit_.back();
    over_limit_.pop_back();
    if (!over) continue;
    log(LogEvent::Kind::kSlow, *s->connection, ReasonCode::kQuotaExceeded, {});
    close(*s->connection, ReasonCode::kQuotaExceeded, "too slow");
  }
}

// ---- from the queue -------------------------------------------------------------------------------------

// Sends as much as quota and output allow: first again what an earlier connection left open, in its
// order [MQTT5-4.4.0-1] [MQTT5-4.6.0-5], then what is queued, then retained messages.
void Core::pump(Session& s) {
  while (resend_one(s)) {
  }
  if (!s.queue.empty()) send_queued(s);
  if (s.durable) send_stored(s);
  if (s.replaying && s.queue.empty()) pump_replays(s);
  release_withheld(s);
}

// False when there is nothing left, or no room.
bool Core::resend_one(Session& s) {
  Connection* const c = s.connection;
  if (!c || s.resend_next == s.inflight.span()) return false;
  if (c->output.bytes() >= config_.limits.output_bytes_low) {
    c->output.want_room(true);
    return false;
  }
  const Delivery& delivery = s.inflight[s.resend_next];
  if (delivery.state == DeliveryState::kPublished && s.quota_used >= c->window) return false;
  resend(s, s.resend_next++);
  return true;
}

// With its old packet identifier, PUBLISH with DUP [MQTT5-3.3.1-1] [MQTT311-3.3.1-1]; after PUBREC never
// the PUBLISH again [MQTT5-4.3.3-6].
void Core::resend(Session& s, uint32_t position) {
  // However long ago its Message Expiry Interval ran out [MQTT5-4.3.3-13].
  Delivery& delivery = s.inflight[position];
  Connection& c = *s.connection;
  if (delivery.state == DeliveryState::kFinished) return;
  delivery.sent_at = tick_of(now_.mono);
  watch_for_answer(s);
  if (delivery.state == DeliveryState::kReleased) {
    ++counters_.redelivered;
    return send_pubrel(c, s.inflight.packet_id(position), ReasonCode::kSuccess, true);
  }
  SHOAL_ASSERT(delivery.message);
  Publication p;
  p.message = delivery.message;
  p.view = p.message->view();
  Outgoing how;
  how.qos = delivery.qos;
  how.retain = delivery.retain;
  how.dup = true;
  how.packet_id = s.inflight.packet_id(position);
  if (delivery.extra) how.identifiers = delivery.extra->identifiers;
  ++counters_.redelivered;
  if (!delivery.in_quota) ++s.quota_used;
  delivery.in_quota = true;
  if (!write_publish(c, p, how)) finish_delivery(s, position);
}

void Core::send_queued(Session& s) {
  while (!s.queue.empty() &&
         can_send(s)) {  // the rest waits, and nothing but it [MQTT5-3.3.4-10] [MQTT5-4.9.0-3]
    Delivery delivery = s.queue.pop_front();
    ++s.queue_begin;
    count_queued(s, delivery, false);
    Publication p;
    p.message = delivery.message;
    p.view = p.message->view();
    if (p.view.expires_at <= now_.mono) {  // [MQTT5-3.3.2-5]
      drop(DropReason::kExpired);
      member_has_it(delivery);
      continue;
    }
    Outgoing how;
    how.qos = delivery.qos;
    how.retain = delivery.retain;
    how.packet_id = s.inflight.next_packet_id();
    if (delivery.extra) how.identifiers = delivery.extra->identifiers;
    start(s, std::move(delivery), p, how);
  }
}

// ---- acknowledgements ---------------------------------------------------------------------------------------

void Core::on_puback(Connection& c, const Frame& frame) {
  Ack in;
  if (const DecodeStatus status = decode_ack(frame, c.version, Sender::kClient, in); !status.ok()) {
    return protocol_error(c, status);
  }
  Session& s = *c.session;
  if (s.is_stored()) return on_stored_puback(s, in.packet_id);
  const uint32_t position = s.inflight.find(in.packet_id);
  if (position == Inflight::kNone) return;
  const Delivery& delivery = s.inflight[position];
  if (delivery.qos != Qos::k1) return;
  finish_delivery(s, position);  // whatever the code [MQTT5-4.4.0-2] [MQTT5-4.8.2-6]
  pump(s);
}

void Core::on_pubrec(Connection& c, const Frame& frame) {
  Ack in;
  if (const DecodeStatus status = decode_ack(frame, c.version, Sender::kClient, in); !status.ok()) {
    return protocol_error(c, status);
  }
  Session& s = *c.session;
  if (s.is_stored()) return on_stored_pubrec(c, in);
  const uint32_t position = s.inflight.find(in.packet_id);
  const bool known = position != Inflight::kNone && s.inflight[position].qos == Qos::k2;
  if (!known) {
    if (!is_error(in.reason)) {
      send_pubrel(c, in.packet_id, ReasonCode::kPacketIdentifierNotFound);
    }
    return;
  }
  if (is_error(in.reason)) {  // [MQTT5-4.4.0-2] [MQTT5-4.8.2-6]
    finish_delivery(s, position);
    return pump(s);
  }
  Delivery& delivery = s.inflight[position];
  delivery.state = DeliveryState::kReleased;  // it cannot expire any more [MQTT5-4.3.3-7]
  delivery.sent_at = tick_of(now_.mono);
  s.inflight.release_message(position);
  member_has_it(delivery);
  send_pubrel(c, in.packet_id, ReasonCode::kSuccess);  // [MQTT5-4.3.3-4] [MQTT5-4.3.3-5]
  pump(s);
}

void Core::on_pubcomp(Connection& c, const Frame& frame) {
  Ack in;
  if (const DecodeStatus status = decode_ack(frame, c.version, Sender::kClient, in); !status.ok()) {
    return protocol_error(c, status);
  }
  Session& s = *c.session;
  if (s.is_stored()) return on_stored_pubcomp(s, in.packet_id);
  const uint32_t position = s.inflight.find(in.packet_id);
  if (position == Inflight::kNone) return;
  if (s.inflight[position].state != DeliveryState::kReleased) return;
  finish_delivery(s, position);
  pump(s);
}

// The client is done with it, or it could not be sent.
void Core::finish_delivery(Session& s, uint32_t position) {
  Delivery& delivery = s.inflight[position];
  member_has_it(delivery);
  if (delivery.in_quota) --s.quota_used;
  const uint32_t left = s.inflight.finish(position);
  s.resend_next -= std::min(left, s.resend_next);
}

// A shared subscription's message need not be placed again.
void Core::member_has_it(Delivery& delivery) {
  if (!delivery.extra || !delivery.extra->ticket) return;
  progress(std::exchange(delivery.extra->ticket, nullptr));
}

void Core::send_pubrel(Connection& c, uint16_t packet_id, ReasonCode reason, bool again) {
  Ack out;
  out.type = PacketType::kPubRel;
  out.packet_id = packet_id;
  out.reason = reason;
  uint8_t* const first = write(c, out);
  // In 3.1 what is sent again has DUP; the later versions reserve that bit [MQTT5-2.1.3-1]
  // [MQTT311-2.2.2-1].
  if (again && c.version == ProtocolVersion::kMqtt31) *first |= kDupFlag;
}

// 3.x while connected: what was not acknowledged for retry_interval is sent again. Returns when to
// look again; 5.0 sends again on a new connection only [MQTT5-4.4.0-1].
Instant Core::retry(Session& s) {
  if (s.is_stored()) return retry_stored(s);
  const bool is_5 = s.connection->version == ProtocolVersion::kMqtt5;
  if (is_5 || s.inflight.empty()) {
    s.timer = kNoTimer;
    return Instant::never();
  }
  const int64_t interval = config_.limits.retry_interval.ns / Broker::kTick.ns;
  const int64_t now = tick_of(now_.mono);
  int64_t oldest = now;
  for (uint32_t i = 0; i < s.resend_next; ++i) {
    const Delivery& delivery = s.inflight[i];
    if (delivery.state == DeliveryState::kFinished) continue;
    const bool has_room = s.connection->output.bytes() < config_.limits.output_bytes_low;
    if (delivery.sent_at + interval <= now && has_room) {
      resend(s, i);
    } else {
      oldest = std::min<int64_t>(oldest, delivery.sent_at);
    }
  }
  return std::max(Instant{(oldest + interval) * Broker::kTick.ns}, now_.mono + Broker::kTick);
}

}  // namespace shoal
