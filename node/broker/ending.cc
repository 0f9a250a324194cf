// How connections and sessions end. What is here of a session ends with its connection, but the client id
// stays claimed until all that it published is accepted or given up: so a message that is sent again
// on another node cannot overtake its older self.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

// ---- connections ----------------------------------------------------------------------------------

// We end a connection that is connected [MQTT5-4.13.2-1]. A 3.x client is just cut off: there is no
// DISCONNECT from a server [MQTT311-4.8.0-1].
void Core::close(Connection& c, ReasonCode reason, std::string_view detail) {
  SHOAL_ASSERT(c.phase == Phase::kConnected);
  const auto kind = reason == ReasonCode::kSessionTakenOver ? LogEvent::Kind::kTakenOver
                                                            : LogEvent::Kind::kDisconnected;
  log(kind, c, reason, detail);
  if (c.version == ProtocolVersion::kMqtt5) send_disconnect(c, reason, detail);
  leave_session(c);
  close_silently(c, true);
}

// Nothing is sent any more [MQTT5-3.14.4-1] [MQTT5-3.14.4-2], nothing that comes is looked at
// [MQTT311-3.14.4-2]; a client that does not read its last
// bytes is cut off after a while.
void Core::close_silently(Connection& c, bool after_flush) {
  if (c.phase == Phase::kClosing) return;
  if (c.session) leave_session(c);
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
  Farewell farewell;
  farewell.discards_will = in.reason == ReasonCode::kNormalDisconnection;
  if (in.session_expiry_s) {
    if (!c.asked_to_stay && *in.session_expiry_s != 0) {  // 3.14.2.2.2
      return protocol_error(c, ReasonCode::kProtocolError, "Session Expiry raised from 0");
    }
    farewell.expiry_s = std::min(*in.session_expiry_s, config_.limits.session_expiry_max_s);
  }
  log(LogEvent::Kind::kDisconnected, c, in.reason, "by the client");
  leave_session(c, farewell);
  close_silently(c, true);
}

// After this the connection has nothing to do with the session, which lasted at least as long as it
// [MQTT5-4.1.0-1] [MQTT311-4.1.0-1] [MQTT311-4.1.0-2]; what goes on of it is the store's
// [MQTT5-4.1.0-2]. Retained messages are none of it [MQTT311-3.1.2-7].
void Core::leave_session(Connection& c, const Farewell& farewell) {
  drop_waiting(c);
  Session* const s = std::exchange(c.session, nullptr);
  if (c.connected_counted) --counters_.connected_now;
  c.connected_counted = false;
  if (!s) return;
  s->connection = nullptr;
  cancel_replays(*s);
  if (s->durable) detach(*s, farewell);
  end_session(*s);
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
  if (s.received) {
    for (const auto& [packet_id, ticket] : *s.received) {
      if (ticket && ticket->outstays) drop_ticket(ticket);
    }
  }
  check_quiet(s);
}

void Core::drop_deliveries(Session& s) {
  counters_.queued_now -= s.queue.size();
  counters_.queued_bytes_now -= s.queued_bytes;
  for (uint32_t i = 0; i < s.inflight.span(); ++i) give_up_delivery(s.inflight[i]);
  s.inflight = Inflight();
  while (!s.queue.empty()) {
    Delivery delivery = s.queue.pop_front();
    ++s.queue_begin;
    give_up_delivery(delivery);
  }
  s.queued_bytes = 0;
  release_withheld(s);
}

void Core::check_quiet(Session& s) {
  if (!s.ended || s.open_tickets > 0 || s.quiet_listed) return;
  s.quiet_listed = true;
  quiet_.emplace_back(s.index, s.generation);
}

// Nothing that the session's connection published is unfinished.
void Core::on_quiet(Session& s) {
  bool claimed = true;
  if (s.extra) {
    for (const Stamp& evicted : std::exchange(s.extra->evicted_claims, {})) {
      current_.to_hub.push_back(EvictDone{s.client_id, evicted});
      if (evicted == s.claim) claimed = false;
    }
  }
  Connection* const next = find(s.successor);
  // The claim goes on with the successor; one that was evicted is not ours any more.
  if (!next && claimed) current_.to_hub.push_back(ClaimRelease{s.client_id, s.claim});
  destroy_session(s);
  if (next) ask_store(*next);
}

// Another place has the client id from now on.
void Core::on_evict(const Evict& evict) {
  Session* const s = find_session(evict.client_id);
  if (!s && evict_moved(evict.client_id, evict.stamp, evict.user)) return;
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
    close(*s->connection, ReasonCode::kSessionTakenOver);
  }
  SHOAL_ASSERT(s->ended);
}

void Core::on_all_close() {
  ++closings_;
  const std::string_view why = draining_ ? "this node leaves" : "this node was cut off";
  connections_.for_each([this, why](Connection& c) {
    if (c.phase == Phase::kConnected) {
      close(c, draining_ ? reason_to_go() : ReasonCode::kServerBusy, why);
    }
    if (c.phase == Phase::kWaitStore || c.phase == Phase::kWaitRoutes) {
      refuse_connect(c, draining_ ? reason_to_go() : ReasonCode::kServerUnavailable, why);
    }
  });
  // Nobody answers any more what was asked until now.
  for (StoreWait& wait : store_numbers_.take_all()) {
    if (const auto* const publish = std::get_if<WaitingTicket>(&wait.what))
      progress(publish->ticket);
  }
  current_.to_hub.push_back(AllClosed{});
}

// ---- time -----------------------------------------------------------------------------------------------

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
