// What is submitted to the store under a number, and what becomes of it when it is durable: nothing that
// a client takes as a promise leaves before.
#include <utility>

#include "node/broker/core.h"
#include "node/rules/overloaded.h"
#include "shoal/assert.h"

namespace shoal {

void Core::on_store_mail(FromStore& mail) {
  std::visit(Overloaded{
                 [this](SessionAttached& m) { on_session_attached(m); },
                 [this](SessionEvict& m) { on_session_evict(m); },
                 [this](SessionDone& m) { on_session_done(m); },
                 [this](SessionMessages& m) { on_session_messages(m); },
             },
             mail);
}

// ---- answers --------------------------------------------------------------------------------------------

void Core::on_session_done(const SessionDone& done) {
  StoreWait wait;
  if (!store_numbers_.take(done.number, wait)) return;
  Connection* const c = find(wait.conn);
  // First of all: what is said below goes to nobody then.
  if (done.outcome == SessionDone::Outcome::kStale && c && c->phase == Phase::kConnected) {
    ++counters_.takeovers;
    close(*c, ReasonCode::kSessionTakenOver);
  }
  finish_wait(wait, done);
}

void Core::finish_wait(StoreWait& wait, const SessionDone& done) {
  const bool over_quota = done.outcome == SessionDone::Outcome::kQuota;
  if (const auto* const publish = std::get_if<WaitingTicket>(&wait.what)) {
    if (over_quota) publish->ticket->over_quota = true;
    return progress(publish->ticket);
  }
  Connection* const c = find(wait.conn);
  if (!c || c->phase != Phase::kConnected) return;
  std::visit(Overloaded{
                 [](WaitingTicket&) {},
                 [&](WaitingSubAck&) { on_stored_subscribed(*c->session, done); },
                 [&](WaitingUnsubAck& w) {
                   waits_less(*c);
                   send_unsuback(*c, w.packet_id, w.reasons);
                 },
                 [&](WaitingPubrels& w) { release_deliveries(*c, w.messages); },
                 [&](WaitingPubcomp& w) {
                   waits_less(*c);
                   if (c->open_in > 0) --c->open_in;
                   Ack out;
                   out.type = PacketType::kPubComp;
                   out.packet_id = w.packet_id;
                   write(*c, out);
                 },
             },
             wait.what);
}

// ---- publishes ------------------------------------------------------------------------------------------

bool Core::is_too_large_to_keep(const Publication& p) const {
  return p.view.properties.size() + p.view.payload.size() > config_.limits.durable_payload_max;
}

void Core::publish_to_shards(Publication& p, uint64_t shards, std::string_view shared) {
  if (is_too_large_to_keep(p)) {
    drop(DropReason::kTooLargeToKeep);
    if (p.view.qos != Qos::k0) ticket_of(p)->over_quota = true;
    return;
  }
  const uint64_t number = submit(ShardPublish{0, shards, std::string(shared), p.reference()});
  if (p.view.qos == Qos::k0) return;
  Ticket* const ticket = ticket_of(p);
  ++ticket->pending;
  store_numbers_.expect(number, {p.conn, WaitingTicket{ticket}});
}

// QoS 2 of a durable session: its shard keeps the identifier and sends the message on, each once, so that
// a repeat on whatever node changes nothing. A repeat is answered like the first.
void Core::receive_stored(Publication& p) {
  if (is_too_large_to_keep(p)) {
    drop(DropReason::kTooLargeToKeep);
    ticket_of(p)->over_quota = true;
    return finish_routing(p);
  }
  hold_large(p);
  Durable& durable = *p.publisher->durable;
  Ticket* const ticket = ticket_of(p);
  ++ticket->pending;
  PendingReceive receive{.ticket = ticket, .message = p.reference()};
  const bool is_new = durable.received.insert(p.packet_id).second;
  if (p.view.retain && is_new) receive.retaining = write_retained(p);
  durable.receives.push_back(std::move(receive));
  submit_receives(*p.publisher);
  finish_routing(p);
}

void Core::submit_receives(Session& s) {
  Ring<PendingReceive>& receives = s.durable->receives;
  while (!receives.empty() && receives.front().retaining == 0) {
    PendingReceive receive = receives.pop_front();
    const Ticket& ticket = *receive.ticket;
    const uint64_t number = submit(SessionReceive{0, s.client_id, s.durable->epoch,
                                                  ticket.packet_id, std::move(receive.message)});
    store_numbers_.expect(number, {ticket.conn, WaitingTicket{receive.ticket}});
  }
}

// Their connection ends: nothing was promised of them.
void Core::drop_receives(Durable& durable) {
  while (!durable.receives.empty()) {
    Ticket* const ticket = durable.receives.pop_front().ticket;
    drop_ticket(ticket);
    ticket->owner = Ticket::For::kNobody;
    progress(ticket);
  }
}

void Core::on_retain_done(uint64_t number) {
  const auto found = retain_waits_.find(number);
  if (found == retain_waits_.end()) return;
  Ticket* const ticket = found->second;
  retain_waits_.erase(found);
  const Connection* const c = find(ticket->conn);
  if (c && c->session && c->session->durable) {
    Ring<PendingReceive>& receives = c->session->durable->receives;
    for (uint32_t i = 0; i < receives.size(); ++i) {
      if (receives[i].retaining == number) receives[i].retaining = 0;
    }
    submit_receives(*c->session);
  }
  progress(ticket);
}

void Core::release_stored(Connection& c, uint16_t packet_id) {
  const Session& s = *c.session;
  const Ring<PendingReceive>& receives = s.durable->receives;
  for (uint32_t i = 0; i < receives.size(); ++i) {
    if (receives[i].ticket->packet_id != packet_id) continue;
    return protocol_error(c, ReasonCode::kProtocolError, "PUBREL before PUBREC");
  }
  s.durable->received.erase(packet_id);
  const uint64_t number = submit(SessionRelease{0, s.client_id, s.durable->epoch, packet_id});
  waits_more(c);
  store_numbers_.expect(number, {c.id, WaitingPubcomp{packet_id}});
}

}  // namespace shoal
