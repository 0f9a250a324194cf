// How connections and sessions end. A connection that ends leaves its session; a session ends at once,
// later, or never, but its client id stays claimed until all that it published is accepted or given
// up: so a message that is sent again on another node cannot overtake its older self.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

// ---- connections ----------------------------------------------------------------------------------

// We end a connection that is connected [MQTT5-4.13.2-1]. A 3.x client is just cut off: there is no
// DISCONNECT from a server [MQTT311-4.8.0-1].
void Core::close(Connection& c, ReasonCode reason, std::string_view detail, Ending ending) {
  SHOAL_ASSERT(c.phase == Phase::kConnected);
  const auto kind = reason == ReasonCode::kSessionTakenOver ? LogEvent::Kind::kTakenOver
                                                            : LogEvent::Kind::kDisconnected;
  log(kind, c, reason, detail);
  if (c.version == ProtocolVersion::kMqtt5) send_disconnect(c, reason, detail);
  leave_session(c, ending);
  close_silently(c, true);
}

// Nothing is sent any more [MQTT5-3.14.4-1] [MQTT5-3.14.4-2], nothing that comes is looked at
// [MQTT311-3.14.4-2]; a client that does not read its last
// bytes is cut off after a while.
void Core::close_silently(Connection& c, bool after_flush) {
  if (c.phase == Phase::kClosing) return;
  if (c.session) leave_session(c, Ending::kOther);
  withdraw(c);
  c.phase = Phase::kClosing;
  c.extra.reset();
  current_.closes.push_back({c.id, after_flush});
  set_connection_timer(c, now_.mono + config_.limits.connect_timeout);
}

void Core::send_disconnect(Connection& c, ReasonCode reason, std::string_view detail) {
  Disconnect out;
  // Some of what can be wrong with a packet has no name in a DISCONNECT [MQTT5-3.14.2-1].
  const bool named = is_reason_of(PacketType::kDisconnect, Sender::kServer, reason);
  out.reason = named ? reason : ReasonCode::kUnspecifiedError;
  if (complete_refusal(c, out, reason, detail)) write(c, out);
}

// The client broke a rule: its connection ends, with the reason if it can be told [MQTT5-4.13.1-1]
// [MQTT311-4.8.0-1].
void Core::protocol_error(Connection& c, ReasonCode reason, std::string_view detail) {
  if (!c.open()) return;
  ++counters_.protocol_errors;
  if (c.phase == Phase::kConnected) return close(c, reason, detail);
  refuse_connect(c, reason, detail);  // no DISCONNECT before CONNACK [MQTT5-3.14.0-1]
}

void Core::protocol_error(Connection& c, const DecodeStatus& status) {
  protocol_error(c, status.reason(), status.detail());
}

void Core::on_disconnect(Connection& c, const Frame& frame) {
  Disconnect in;
  if (const DecodeStatus status = decode_disconnect(frame, c.version, Sender::kClient, in);
      !status.ok()) {
    return protocol_error(c, status);  // [MQTT5-3.14.1-1] [MQTT311-3.14.1-1]
  }
  Session& s = *c.session;
  if (in.session_expiry_s) {
    if (!c.asked_to_stay && *in.session_expiry_s != 0) {  // 3.14.2.2.2
      return protocol_error(c, ReasonCode::kProtocolError, "Session Expiry raised from 0");
    }
    s.expiry_s = std::min(*in.session_expiry_s, config_.limits.session_expiry_max_s);
  }
  log(LogEvent::Kind::kDisconnected, c, in.reason, "by the client");
  const bool normal = in.reason == ReasonCode::kNormalDisconnection;
  leave_session(c, normal ? Ending::kByClient : Ending::kOther);
  close_silently(c, true);
}

// After this the connection has nothing to do with the session, which lasted at least as long as it
// [MQTT5-4.1.0-1] [MQTT311-4.1.0-1] [MQTT311-4.1.0-2]. Retained messages are none of it
// [MQTT311-3.1.2-7].
void Core::leave_session(Connection& c, Ending ending) {
  drop_waiting(c);
  Session* const s = std::exchange(c.session, nullptr);
  if (c.connected_counted) --counters_.connected_now;
  c.connected_counted = false;
  if (!s) return;
  s->connection = nullptr;
  s->dismissed = false;
  cancel_replays(*s);
  router_.set_online(s->index, false);
  if (s->durable) detach(*s, ending == Ending::kByClient);
  if (config_.has_store) return end_session(*s);  // what goes on is the store's
  if (is_will_discarded(*s, ending)) s->extra->will.reset();
  if (s->expiry_s == 0) return end_session(*s);  // [MQTT5-4.1.0-2]
  will_is_due(*s);
  release_withheld(*s);
  trim_queue(*s);
  if (s->expiry_s != UINT32_MAX) {  // [MQTT5-3.1.2-23]
    s->need_extra().expires_at = now_.mono + Duration::seconds(s->expiry_s);
  }
  set_session_timer(*s);
  s->inflight.release_memory();
  s->queue.release_if_empty();
}

// What the connection has open with us: parked publishes are forgotten, since nothing of them was
// done; tickets go on without it.
void Core::drop_waiting(Connection& c) {
  if (!c.extra) return;
  Ring<Parked>& parked = c.extra->parked;
  while (!parked.empty()) take_from_parking(parked.pop_front());
}

// ---- sessions -----------------------------------------------------------------------------------------

void Core::end_session(Session& s) {
  SHOAL_ASSERT(!s.connection);
  SHOAL_ASSERT(!s.ended);
  s.ended = true;
  if (s.timer != kNoTimer) timers_.cancel(s.timer);
  s.timer = kNoTimer;
  router_.drop_session(s.index);
  drop_deliveries(s);
  publish_will(s);  // the session's end is the latest time for it
  check_quiet(s);
}

void Core::drop_deliveries(Session& s) {
  counters_.queued_now -= s.queue.size();
  counters_.queued_bytes_now -= s.queued_bytes;
  for (uint32_t i = 0; i < s.inflight.span(); ++i) give_up_delivery(s.inflight[i]);
  s.inflight = Inflight();
  s.resend_next = 0;
  s.quota_used = 0;
  while (!s.queue.empty()) {
    Delivery delivery = s.queue.pop_front();
    ++s.queue_begin;
    give_up_delivery(delivery);
  }
  s.queued_bytes = 0;
  release_withheld(s);
}

// The session that was to get it is gone. A message of a shared subscription goes to another member,
// unless it has QoS 2 and was sent [MQTT5-4.8.2-5].
void Core::give_up_delivery(Delivery& delivery) {
  if (delivery.state == DeliveryState::kFinished || !delivery.extra) return;
  DeliveryExtra& extra = *delivery.extra;
  if (extra.shared_filter.empty()) return;
  const bool started = delivery.qos == Qos::k2 && delivery.sent_before;
  if (started || delivery.state == DeliveryState::kReleased) return member_has_it(delivery);
  Ticket* ticket = std::exchange(extra.ticket, nullptr);
  if (!ticket) {  // accepted long ago: from here on it is this worker's to place
    if (!delivery.message) return;
    ticket = tickets_.create();
    ticket->pending = 1;
    ticket->message = delivery.message;
    ticket->qos = delivery.qos;
    ticket->since = now_.mono;
  }
  if (!ticket->message) {  // its origin picks again; one that we lost has done so already
    ticket->not_placed = true;
    return progress(ticket);
  }
  auto attempt = std::make_unique<SharedAttempt>();
  attempt->filter = std::move(extra.shared_filter);
  repicks_.push_back({ticket, std::move(attempt)});
}

void Core::check_quiet(Session& s) {
  const bool waited_for = s.ended || s.successor;
  if (!waited_for || s.open_tickets > 0 || s.quiet_listed) return;
  s.quiet_listed = true;
  quiet_.emplace_back(s.index, s.generation);
}

// Nothing that the session's last connection published is unfinished.
void Core::on_quiet(Session& s) {
  s.quiet_listed = false;
  if (s.open_tickets > 0 || (s.opening && !s.ended)) return;
  bool claimed = true;
  if (s.extra) {
    for (const Stamp& evicted : std::exchange(s.extra->evicted_claims, {})) {
      current_.to_hub.push_back(EvictDone{s.client_id, evicted});
      if (evicted == s.claim) claimed = false;
    }
  }
  Connection* const next = find(s.successor);
  if (next && !s.ended) return attach(*next, s, true);
  if (!s.ended) return;
  // The claim goes on with the successor; one that was evicted is not ours any more.
  if (!next && claimed) current_.to_hub.push_back(ClaimRelease{s.client_id, s.claim});
  destroy_session(s);
  if (next) begin_session(*next);
}

// Another place has the client id from now on.
void Core::on_evict(const Evict& evict) {
  Session* const s = find_session(evict.client_id);
  if (!s || s->claim != evict.stamp || SHOAL_MUTATED("evicted-client-stays")) {
    current_.to_hub.push_back(EvictDone{evict.client_id, evict.stamp});
    return;
  }
  if (evict.user && s->durable && s->durable->user != *evict.user) {
    current_.to_hub.push_back(EvictRefused{evict.client_id, evict.stamp, *evict.user});
    return;
  }
  s->need_extra().evicted_claims.push_back(evict.stamp);
  if (Connection* const waiting = find(s->successor)) {
    refuse_connect(*waiting, ReasonCode::kSessionTakenOver);
  }
  s->successor = ConnId{};
  if (s->connection) {  // [MQTT5-3.1.4-3] [MQTT311-3.1.4-2]
    ++counters_.takeovers;
    close(*s->connection, ReasonCode::kSessionTakenOver, {},
          evict.clean_start ? Ending::kOther : Ending::kTakenOver);
  }
  if (!s->ended) {
    // The client came back in time for its delayed will [MQTT5-3.1.3-9].
    if (!evict.clean_start && s->extra) s->extra->will.reset();
    end_session(*s);
  }
  check_quiet(*s);
}

void Core::on_all_close() {
  const std::string_view why = draining_ ? "this node leaves" : "this node was cut off";
  connections_.for_each([this, why](Connection& c) {
    if (c.phase == Phase::kConnected) {
      close(c, draining_ ? reason_to_go() : ReasonCode::kServerBusy, why);
    }
    if (c.phase == Phase::kWaitStore || c.phase == Phase::kWaitRoutes) {
      refuse_connect(c, draining_ ? reason_to_go() : ReasonCode::kServerUnavailable, why);
    }
  });
  sessions_.for_each([this](Session& s) {
    if (!s.ended) end_session(s);
  });
  // Nobody answers any more what was asked until now.
  for (StoreWait& wait : store_numbers_.take_all()) {
    if (const auto* const publish = std::get_if<WaitingTicket>(&wait.what))
      progress(publish->ticket);
  }
  current_.to_hub.push_back(AllClosed{});
}

// ---- time -----------------------------------------------------------------------------------------------

void Core::set_session_timer(Session& s) {
  if (s.timer != kNoTimer) timers_.cancel(s.timer);
  s.timer = kNoTimer;
  if (s.connection) {
    if (!s.extra) return;
    s.extra->will_at = s.extra->expires_at = Instant::never();
    return;
  }
  if (!s.extra) return;
  const Instant due = std::min(s.extra->will_at, s.extra->expires_at);
  if (due == Instant::never()) return;
  s.timer = timers_.add(due, {s.index, s.generation, TimerKind::kSession});
}

Instant Core::on_session_due(Session& s) {
  if (s.connection) return retry(s);
  if (s.extra->will_at <= now_.mono) publish_will(s);
  if (s.extra->expires_at <= now_.mono && !s.ended && !find(s.successor)) {
    s.timer = kNoTimer;
    ++counters_.sessions_expired;
    end_session(s);  // [MQTT5-4.1.0-2]
    return Instant::never();
  }
  const Instant due = std::min(s.extra->will_at, s.extra->expires_at);
  if (due == Instant::never() || s.ended) s.timer = kNoTimer;
  return s.ended ? Instant::never() : due;
}

Instant Core::keep_alive_end(const Connection& c) const {
  if (c.keep_alive_s == 0) return Instant::never();
  return now_.mono + Duration::millis(1500) * c.keep_alive_s;
}

Instant Core::on_connection_due(Connection& c) {
  if (c.phase == Phase::kConnected) {
    // Only looked at when the timer runs out: a packet costs nothing but the time it was noted.
    const Duration allowed = Duration::millis(1500) * c.keep_alive_s;
    const Instant end = (c.paused ? now_.mono : c.last_in) + allowed;
    if (now_.mono < end) return end;
    c.timer = kNoTimer;
    close(c, ReasonCode::kKeepAliveTimeout);  // [MQTT5-3.1.2-22] [MQTT311-3.1.2-24]
    return Instant::never();
  }
  c.timer = kNoTimer;
  if (c.phase == Phase::kClosing) {
    current_.closes.push_back({c.id, false});
  } else {
    refuse_connect(c, ReasonCode::kServerUnavailable, "timed out");
  }
  return Instant::never();
}

}  // namespace shoal
