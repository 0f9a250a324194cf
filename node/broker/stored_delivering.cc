// What the store has for a durable session: sent in its order, as the client has room for it, and the
// acknowledgements that go back. They are collected over a turn: a client's go as one.
#include <algorithm>
#include <utility>

#include "node/broker/core.h"

namespace shoal {
namespace {

using State = StoredDelivery::State;

Publication publication_of(const MessageRef& message) {
  Publication p;
  p.message = message;
  p.view = message->view();
  return p;
}

}  // namespace

// ---- out --------------------------------------------------------------------------------------------

void Core::on_session_messages(SessionMessages& mail) {
  Session* const s = find_session(mail.client_id);
  if (!s || !s->durable || s->durable->epoch != mail.epoch) return;
  for (SessionMessage& message : mail.messages) {
    s->durable->window.add(std::move(message));
    send_stored(*s);
  }
}

// As much as quota and output allow [MQTT5-4.4.0-1] [MQTT5-4.6.0-5] [MQTT5-4.9.0-2]; the rest waits, and
// nothing but it [MQTT5-3.3.4-10] [MQTT5-4.9.0-3].
void Core::send_stored(Session& s) {
  if (!s.connection) return;
  StoredWindow& window = s.durable->window;
  while (window.waiting() != 0 && has_room_for(s, window.first_waiting())) {
    SessionMessage message = window.take_waiting();
    s.durable->passed = message.number;
    list_news(s);
    send_stored_one(s, std::move(message));
  }
}

bool Core::has_room_for(const Session& s, const SessionMessage& message) {
  Connection& c = *s.connection;
  const StoredWindow& window = s.durable->window;
  const bool has_quota =
      message.released || message.qos == Qos::k0 || window.quota_used() < c.window;
  // A client that is being sent away gets these on its next connection.
  if (!has_quota || s.dismissed || window.held_bytes() >= config_.limits.queued_bytes_max) {
    return false;
  }
  if (c.output.bytes() < config_.limits.output_bytes_low) return true;
  c.output.want_room(true);
  return false;
}

void Core::send_stored_one(Session& s, SessionMessage message) {
  if (message.qos == Qos::k0 && !message.released) {
    // At most once: what may have been sent is not sent again [MQTT5-4.3.1-1].
    if (!message.dup) write_stored(s, message);
    return acknowledge_stored(s, message.number, SessionAckKind::kPuback);
  }
  StoredDelivery delivery;
  delivery.number = message.number;
  delivery.qos = message.qos;
  delivery.retain = message.retain;
  delivery.sent_at = tick_of(now_.mono);
  if (message.released) {  // never the PUBLISH again [MQTT5-4.3.3-6]
    delivery.state = State::kReleased;
    delivery.qos = Qos::k2;
    send_pubrel(*s.connection, StoredWindow::packet_id_of(message.number), ReasonCode::kSuccess,
                true);
    ++counters_.redelivered;
  } else if (!write_stored(s, message)) {
    // It never will be: over, as if the client had refused it.
    const bool is_1 = message.qos == Qos::k1;
    return acknowledge_stored(s, message.number,
                              is_1 ? SessionAckKind::kPuback : SessionAckKind::kPubrecRefused);
  } else {
    delivery.in_quota = true;
    if (message.dup) ++counters_.redelivered;
    if (keeps_copies(*s.connection)) {
      delivery.message = std::move(message.message);
      delivery.identifiers = std::move(message.identifiers);
    }
  }
  s.durable->window.push(std::move(delivery));
  watch_for_answer(s);
}

// False when it is not to be sent: the client may not have it, takes no packet of that size, or it expired
// before it was ever sent [MQTT5-3.3.2-5]. What was, stays [MQTT5-4.3.3-13].
bool Core::write_stored(Session& s, const SessionMessage& message) {
  Publication p = publication_of(message.message);
  if (s.access && !s.access->may_receive(p.view.topic)) {
    drop(DropReason::kNotAllowed);
    return false;
  }
  if (!message.dup && p.view.expires_at <= now_.mono) {
    drop(DropReason::kExpired);
    return false;
  }
  Outgoing how;
  how.qos = message.qos;
  how.retain = message.retain;
  how.identifiers = message.identifiers;
  if (how.qos == Qos::k0) {
    send_unreliable(s, p, how);
    return true;
  }
  how.dup = message.dup;  // [MQTT5-3.3.1-1] [MQTT311-3.3.1-1]
  how.packet_id = StoredWindow::packet_id_of(message.number);
  return write_publish(*s.connection, p, how);
}

// ---- acknowledgements -------------------------------------------------------------------------------

void Core::acknowledge_stored(Session& s, uint64_t message, SessionAckKind kind) {
  s.durable->acks.push_back({message, kind});
  list_news(s);
}

void Core::on_stored_puback(Session& s, uint16_t packet_id) {
  StoredWindow& window = s.durable->window;
  StoredDelivery* const delivery = window.find(packet_id);
  if (!delivery || delivery->qos != Qos::k1) return;
  acknowledge_stored(s, delivery->number, SessionAckKind::kPuback);
  window.finish(*delivery);  // whatever the code [MQTT5-4.4.0-2]
  pump(s);
}

void Core::on_stored_pubrec(Connection& c, const Ack& in) {
  Session& s = *c.session;
  StoredWindow& window = s.durable->window;
  StoredDelivery* const delivery = window.find(in.packet_id);
  if (!delivery || delivery->qos != Qos::k2) {
    if (is_error(in.reason)) return;
    return send_pubrel(c, in.packet_id, ReasonCode::kPacketIdentifierNotFound);
  }
  if (delivery->state == State::kReleased) {  // the PUBREL was lost on the client's side
    if (!is_error(in.reason)) send_pubrel(c, in.packet_id, ReasonCode::kSuccess);
    return;
  }
  if (delivery->state == State::kReceived) return;  // its PUBREL will come
  if (is_error(in.reason)) {                        // [MQTT5-4.4.0-2]
    acknowledge_stored(s, delivery->number, SessionAckKind::kPubrecRefused);
    window.finish(*delivery);
    return pump(s);
  }
  acknowledge_stored(s, delivery->number, SessionAckKind::kPubrec);
  delivery->state = State::kReceived;
  window.release_message(*delivery);
}

void Core::on_stored_pubcomp(Session& s, uint16_t packet_id) {
  StoredWindow& window = s.durable->window;
  StoredDelivery* const delivery = window.find(packet_id);
  if (!delivery || delivery->state != State::kReleased) return;
  acknowledge_stored(s, delivery->number, SessionAckKind::kPubcomp);
  window.finish(*delivery);
  pump(s);
}

// Their PUBREC is durable [MQTT5-4.3.3-4] [MQTT5-4.3.3-5].
void Core::release_deliveries(Connection& c, const std::vector<uint64_t>& messages) {
  for (const uint64_t number : messages) {
    StoredDelivery* const delivery = c.session->durable->window.find_number(number);
    if (!delivery || delivery->state != State::kReceived) continue;
    delivery->state = State::kReleased;
    delivery->sent_at = tick_of(now_.mono);
    send_pubrel(c, StoredWindow::packet_id_of(number), ReasonCode::kSuccess);
  }
  pump(*c.session);  // their copies are not needed any more
}

void Core::list_news(Session& s) {
  if (std::exchange(s.durable->news_listed, true)) return;
  news_.emplace_back(s.index, s.generation);
}

void Core::flush_news() {
  for (const auto& [slot, generation] : std::exchange(news_, {})) {
    Session* const s = sessions_.find(slot, generation);
    if (s && s->durable) tell_news(*s);
  }
}

// In one: what the client acknowledged, and how far it was sent.
void Core::tell_news(Session& s) {
  Durable& durable = *s.durable;
  durable.news_listed = false;
  if (!durable.acks.empty()) {
    WaitingPubrels pubrels;
    for (const SessionAck::One& ack : durable.acks) {
      if (ack.kind == SessionAckKind::kPubrec) pubrels.messages.push_back(ack.message);
    }
    const ConnId conn = s.connection ? s.connection->id : ConnId{};
    const uint64_t number =
        submit(SessionAck{0, s.client_id, durable.epoch, std::exchange(durable.acks, {})});
    store_numbers_.expect(number, {conn, std::move(pubrels)});
  }
  if (durable.passed != durable.passed_told) {
    durable.passed_told = durable.passed;
    current_.to_hub.emplace_back(ToStore(SessionRoom{s.client_id, durable.epoch, durable.passed}));
  }
  if (durable.window.open() == 0) durable.window.release_memory();
}

// ---- time -------------------------------------------------------------------------------------------

// As retry(), for what the store gave.
Instant Core::retry_stored(Session& s) {
  StoredWindow& window = s.durable->window;
  if (window.open() == 0) {
    s.timer = kNoTimer;
    return Instant::never();
  }
  const int64_t interval = config_.limits.retry_interval.ns / Broker::kTick.ns;
  const int64_t now = tick_of(now_.mono);
  int64_t oldest = now;
  for (uint32_t i = 0; i < window.span(); ++i) {
    StoredDelivery& delivery = window[i];
    if (delivery.state == State::kFinished || delivery.state == State::kReceived) continue;
    const bool has_room = s.connection->output.bytes() < config_.limits.output_bytes_low;
    if (delivery.sent_at + interval <= now && has_room) {
      resend_stored(s, delivery);
    } else {
      oldest = std::min<int64_t>(oldest, delivery.sent_at);
    }
  }
  return std::max(Instant{(oldest + interval) * Broker::kTick.ns}, now_.mono + Broker::kTick);
}

// To a 3.x client on the same connection.
void Core::resend_stored(Session& s, StoredDelivery& delivery) {
  Connection& c = *s.connection;
  delivery.sent_at = tick_of(now_.mono);
  ++counters_.redelivered;
  const uint16_t packet_id = StoredWindow::packet_id_of(delivery.number);
  if (delivery.state == State::kReleased) {
    return send_pubrel(c, packet_id, ReasonCode::kSuccess, true);
  }
  Publication p = publication_of(delivery.message);
  Outgoing how;
  how.qos = delivery.qos;
  how.retain = delivery.retain;
  how.dup = true;
  how.packet_id = packet_id;
  how.identifiers = delivery.identifiers;
  write_publish(c, p, how);
}

}  // namespace shoal
