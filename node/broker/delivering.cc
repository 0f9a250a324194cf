// Messages to one live session: at once, or in its queue until there is room; and the acknowledgements
// that come back for them.
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
  if (!at_once || keeps_copies(*s.connection)) {
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

// Whether a PUBLISH may leave now: the client's quota [MQTT5-3.3.4-9] [MQTT5-4.9.0-2], identifiers, the
// memory that unacknowledged messages take, and the output, which takes more once it has come down.
bool Core::can_send(Session& s) {
  Connection& c = *s.connection;
  if (s.inflight.open() >= c.window || !s.inflight.has_room() ||
      s.inflight.held_bytes() >= config_.limits.queued_bytes_max) {
    return false;
  }
  if (c.output.bytes() < config_.limits.output_bytes_low) return true;
  c.output.want_room(true);
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
  delivery.sent_at = tick_of(now_.mono);
  if (delivery.extra) delivery.extra->first_sent_at = delivery.sent_at;
  if (!keeps_copies(c)) delivery.message = MessageRef();
  s.inflight.push(std::move(delivery));
  watch_for_answer(s);
}

// What was sent on one connection is needed again on it only if a 3.x client does not answer.
bool Core::keeps_copies(const Connection& c) const {
  return c.version != ProtocolVersion::kMqtt5 && config_.limits.retry_interval.ns > 0;
}

// Of a 3.x client: retry() looks after what it leaves unanswered.
void Core::watch_for_answer(Session& s) {
  const Duration interval = config_.limits.retry_interval;
  if (s.timer != kNoTimer || !keeps_copies(*s.connection)) return;
  s.timer = timers_.add(now_.mono + interval, {s.index, s.generation, TimerKind::kSession});
}

bool Core::is_full(const Session& s) const {
  return s.dismissed || s.queue.size() >= config_.limits.queued_max ||
         s.queued_bytes >= config_.limits.queued_bytes_max;
}

// It takes every message, but above its limit the publisher waits.
void Core::enqueue(Session& s, Publication& p, Delivery delivery) {
  const bool full = is_full(s);
  count_queued(s, delivery, true);
  s.queue.push_back(std::move(delivery));
  if (full && !SHOAL_MUTATED("full-queue-accepts")) withhold(s, p);
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

// A live subscriber is never skipped: one that is over its limit for too long is disconnected, unless
// others take what is too much for it.
void Core::check_slow() {
  const Instant limit = now_.mono - config_.limits.slow_timeout;
  const auto is_over = [](const Session* s) {
    return s && s->connection && s->extra && !s->extra->withheld.empty();
  };
  for (size_t i = 0; i < over_limit_.size();) {
    Session* const s = sessions_.find(over_limit_[i].first, over_limit_[i].second);
    const auto is_late = [&] { return s->extra->withheld.front().since <= limit; };
    if (is_over(s) && is_late() && s->watched) relieve(*s);
    const bool over = is_over(s);
    if (over && !is_late()) {
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

// Sends as much as quota and output allow, in its order [MQTT5-4.6.0-5]: what is queued, then retained
// messages.
void Core::pump(Session& s) {
  if (!s.queue.empty()) send_queued(s);
  if (s.durable) send_stored(s);
  if (s.replaying && s.queue.empty()) pump_replays(s);
  release_withheld(s);
}

// To a 3.x client, with its old packet identifier, PUBLISH with DUP [MQTT311-3.3.1-1]; after PUBREC never
// the PUBLISH again.
void Core::resend(Session& s, uint32_t position) {
  Delivery& delivery = s.inflight[position];
  Connection& c = *s.connection;
  delivery.sent_at = tick_of(now_.mono);
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
  ++counters_.redelivered;
  write_publish(c, p, how);
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
  member_has_it(s.inflight[position]);
  s.inflight.finish(position);
}

// A shared subscription's message need not be placed again.
void Core::member_has_it(Delivery& delivery) {
  if (!delivery.extra || !delivery.extra->ticket) return;
  progress_member(std::exchange(delivery.extra->ticket, nullptr));
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
  if (s.inflight.empty()) {
    s.timer = kNoTimer;
    return Instant::never();
  }
  const int64_t interval = config_.limits.retry_interval.ns / Broker::kTick.ns;
  const int64_t now = tick_of(now_.mono);
  int64_t oldest = now;
  for (uint32_t i = 0; i < s.inflight.span(); ++i) {
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
