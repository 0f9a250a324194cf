// What is submitted to the store under a number, and what becomes of it when it is durable: nothing that
// a client takes as a promise leaves before.
#include <utility>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

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
  if (p.view.retain) write_retained(p);
  const Session& s = *p.publisher;
  const uint64_t number =
      submit(SessionReceive{0, s.client_id, s.durable->epoch, p.packet_id, p.reference()});
  Ticket* const ticket = ticket_of(p);
  ++ticket->pending;
  store_numbers_.expect(number, {p.conn, WaitingTicket{ticket}});
  finish_routing(p);
}

void Core::release_stored(Connection& c, uint16_t packet_id) {
  const Session& s = *c.session;
  const uint64_t number = submit(SessionRelease{0, s.client_id, s.durable->epoch, packet_id});
  waits_more(c);
  store_numbers_.expect(number, {c.id, WaitingPubcomp{packet_id}});
}

}  // namespace shoal
