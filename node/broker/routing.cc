// One message to all that want it, and the ticket that tells when all have it.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {

// Every session with a matching subscription gets it or keeps it [MQTT5-4.5.0-1] [MQTT311-4.5.0-1]
// [MQTT5-3.3.2-3] [MQTT311-3.3.2-3]. Each step from publisher to subscriber keeps the order, for every
// topic [MQTT5-4.6.0-5] [MQTT5-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6].
void Core::route(Publication& p) {
  p.headers = &headers_[0];
  p.headers->reset();
  hold_large(p);
  if (p.view.retain) write_retained(p);  // else left alone [MQTT5-3.3.1-8] [MQTT311-3.3.1-12]
  if (p.view.expires_at > now_.mono) {
    const Match& match = router_.match(p.view.topic);
    turn_deliveries_ += static_cast<uint32_t>(match.targets().size());
    if (p.waits == Ticket::For::kClient) note_way(p, match);
    for (const RemoteTarget& target : match.remotes()) {
      if (target.node != kShards) {
        forward(p, target);
      } else if (p.view.qos != Qos::k0) {  // which the live path alone carries
        publish_to_shards(p, target.worker_mask, {});
      }
    }
    for (SharedGroup* const group : match.groups()) route_shared(p, *group);
    for (const LocalTarget& target : match.targets()) deliver(p, match, target);
  } else {
    drop(DropReason::kExpired);
  }
  finish_routing(p);
}

// The publisher of a large payload is not read until everyone has it.
void Core::hold_large(Publication& p) {
  if (!is_large(p)) return;
  Ticket* const ticket = ticket_of(p);
  ticket->large_bytes = p.view.payload.size();
  budget_.charge(ticket->large_bytes);
  if (Connection* const c = find(p.conn)) pause(*c, kPauseLarge);
}

// One copy [MQTT5-3.3.4-2] [MQTT5-3.3.4-4] [MQTT5-3.3.4-5] [MQTT5-3.8.4-8] [MQTT311-3.3.5-1] [MQTT311-3.8.4-6]
void Core::deliver(Publication& p, const Match& match, const LocalTarget& matched) {
  Session& s = session_at(matched.session);
  const LocalTarget* target = &matched;
  if (target->no_local && p.view.publisher == s.hash) {  // [MQTT5-3.8.3-3]
    target = match.own_target(matched.session);
    if (!target) return;
  }
  Outgoing how;
  how.qos = std::min(p.view.qos, target->qos);
  if (s.replaying && p.view.retain) s.extra->seen_live.emplace(p.view.topic);
  if (how.qos != Qos::k0 && s.is_stored()) return;  // its shard has the message too
  if (s.access && !s.access->may_receive(p.view.topic)) return drop(DropReason::kNotAllowed);
  how.retain = target->retain_as_published &&
               p.view.retain;  // [MQTT5-3.3.1-12] [MQTT5-3.3.1-13] [MQTT311-3.3.1-9]
  if (target->identifiers_count > 0) how.identifiers = match.identifiers(*target);
  if (how.qos == Qos::k0) return send_unreliable(s, p, how);
  send_reliable(s, p, how, nullptr);
}

// ---- retained messages ----------------------------------------------------------------------------------

// [MQTT5-3.3.1-5] [MQTT311-3.3.1-5]; the hub removes it for an empty payload [MQTT5-3.3.1-6]
// [MQTT5-3.3.1-7] [MQTT311-3.3.1-11], and a QoS 0 message replaces it like any other [MQTT311-3.3.1-7].
uint64_t Core::write_retained(Publication& p) {
  const uint64_t number = ++retain_number_;
  current_.to_hub.push_back(RetainWrite{number, p.reference()});
  if (p.view.qos == Qos::k0 && !is_large(p)) return number;
  Ticket* const ticket = ticket_of(p);
  ++ticket->pending;
  retain_waits_.emplace(number, ticket);
  return number;
}

// ---- tickets ----------------------------------------------------------------------------------------------

// One of its `pending` is the routing itself, so that it cannot complete before it ends.
Ticket* Core::ticket_of(Publication& p) {
  if (p.ticket) return p.ticket;
  Ticket* const ticket = tickets_.create();
  p.ticket = ticket;
  ticket->owner = p.waits;
  ticket->pending = 1;
  ticket->qos = p.view.qos;
  ticket->packet_id = p.packet_id;
  ticket->conn = p.conn;
  ticket->origin = p.origin;
  ticket->number = p.number;
  ticket->since = p.since;
  if (p.waits != Ticket::For::kClient) return ticket;
  ticket->session = p.publisher;
  ticket->counted = true;
  ++p.publisher->open_tickets;
  if (p.view.qos == Qos::k2 && !p.publisher->is_stored()) {
    (*p.publisher->received)[p.packet_id] = ticket;
  }
  waits_more(*p.publisher->connection);
  return ticket;
}

void Core::finish_routing(Publication& p) {
  if (p.ticket) return progress(p.ticket);
  if (p.waits == Ticket::For::kClient && p.view.qos != Qos::k0) {
    if (Connection* const c = find(p.conn)) acknowledge(*c, p.view.qos, p.packet_id);
  } else if (p.waits == Ticket::For::kRemote && p.number != 0) {
    acceptances_.add(p.origin, p.number, Acceptance::kAccepted);
  }
}

void Core::progress(Ticket* ticket) {
  SHOAL_ASSERT(ticket->pending > 0);
  if (--ticket->pending == 0) complete(ticket);
}

void Core::complete(Ticket* ticket) {
  if (ticket->owner == Ticket::For::kRemote) {
    acceptances_.add(ticket->origin, ticket->number,
                     ticket->not_placed ? Acceptance::kNotPlaced : Acceptance::kAccepted);
  } else if (ticket->owner == Ticket::For::kClient) {
    if (ticket->session && ticket->session->received && ticket->qos == Qos::k2) {
      const auto found = ticket->session->received->find(ticket->packet_id);
      SHOAL_ASSERT(found != ticket->session->received->end());
      found->second = nullptr;
      if (ticket->over_quota) ticket->session->received->erase(found);
    }
    Connection* const c = find(ticket->conn);
    if (c && c->phase == Phase::kConnected) {
      if (ticket->over_quota) {
        refuse_over_quota(*c, ticket->qos, ticket->packet_id);
      } else {
        acknowledge(*c, ticket->qos, ticket->packet_id);
      }
      waits_less(*c);
      if (ticket->large_bytes > 0) unpause(*c, kPauseLarge);
    }
  }
  budget_.give_back(ticket->large_bytes);
  drop_ticket(ticket);
  tickets_.destroy(ticket);
}

// Nobody at this node waits for it any more.
void Core::drop_ticket(Ticket* ticket) {
  if (!ticket->counted) return;
  ticket->counted = false;
  Session& s = *ticket->session;
  ticket->session = nullptr;
  SHOAL_ASSERT(s.open_tickets > 0);
  --s.open_tickets;
  check_quiet(s);
}

// A publish whose acknowledgement was withheld for too long costs its connection (5.0: 0x89), so that
// the client sends it again elsewhere. Not one that waits for members of shared subscriptions alone:
// elsewhere it would come to the same group, and be done twice. But it holds up nobody who comes back.
void Core::expire_tickets() {
  const Instant limit = now_.mono - config_.limits.publish_timeout;
  std::vector<ConnId> late;
  while (tickets_.oldest() && tickets_.oldest()->since <= limit) {
    Ticket* const ticket = tickets_.oldest();
    const Connection* const c = find(ticket->conn);
    const bool waits_for_members =
        ticket->members == ticket->pending && c && c->phase == Phase::kConnected;
    if (ticket->owner == Ticket::For::kClient && ticket->counted) {
      if (!waits_for_members) late.push_back(ticket->conn);
      // PUBREC is the session's matter, PUBACK the connection's.
      ticket->outstays = waits_for_members && ticket->qos == Qos::k2;
      if (!ticket->outstays) drop_ticket(ticket);
    }
    tickets_.renew(ticket, now_.mono);
  }
  for (const ConnId conn : parked_) {
    Connection* const c = find(conn);
    if (!c || !c->extra || c->extra->parked.empty()) continue;
    if (c->extra->parked.front().since <= limit) late.push_back(conn);
  }
  for (const ConnId conn : late) {
    Connection* const c = find(conn);
    if (c && c->phase == Phase::kConnected) {
      close(*c, ReasonCode::kServerBusy, "publish could not be acknowledged");
    }
  }
}

}  // namespace shoal
