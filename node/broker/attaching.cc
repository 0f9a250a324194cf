// Sessions whose state is in the store: from the question whether there is one, past CONNACK, to where
// the connection's end is told to the store. The session here is made with the question, so that a claim
// of another place finds it; its connection is its successor until it is let in.
#include <utility>

#include "node/broker/core.h"
#include "node/rules/topic.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

// Nothing of the client's is here.
void Core::ask_store(Connection& c) {
  const Opening& opening = *c.extra->opening;
  Session& s = create_session(opening.client_id);
  const Connect in = connect_of(opening);
  c.phase = Phase::kWaitStore;
  s.successor = c.id;
  s.claim = opening.claim;
  SessionConnect out;
  out.conn = c.id;
  out.client_id = s.client_id;
  out.claim = opening.claim;
  out.user = opening.credentials.user;
  out.receive_maximum = window_of(in);
  out.expiry_s = session_expiry_of(in);
  out.clean_start = in.clean_start;
  out.will = will_of(opening, in, s);
  current_.to_hub.emplace_back(ToStore(std::move(out)));
}

// The claim came with the word that the store has nothing of the client id.
void Core::attach_unasked(Connection& c) {
  const Opening& opening = *c.extra->opening;
  SHOAL_ASSERT(opening.is_volatile);
  Session& s = create_session(opening.client_id);
  s.claim = opening.claim;
  attach(c, s, false);
}

// The store publishes it, unless it is told that the client said goodbye [MQTT5-3.1.2-7]
// [MQTT311-3.1.2-8]; nobody can ask for the client's rights then.
std::optional<SessionWill> Core::will_of(const Opening& opening, const Connect& in,
                                         const Session& s) {
  if (!in.will) return std::nullopt;  // [MQTT311-3.1.2-12]
  const Will& will = *in.will;
  const AccessRef& access = opening.credentials.access;
  if (access && !access->may_publish(will.topic)) {
    drop(DropReason::kNotAllowed);
    return std::nullopt;
  }
  MessageView view;
  view.qos = will.qos;
  view.retain =
      will.retain;  // [MQTT5-3.1.2-14] [MQTT5-3.1.2-15] [MQTT311-3.1.2-16] [MQTT311-3.1.2-17]
  view.topic = will.topic;
  view.payload = will.payload;
  view.publisher = s.hash;
  std::vector<uint8_t> properties;  // in their order [MQTT5-3.1.3-10]
  append_application_properties(will.application, properties);
  view.properties = properties;
  return SessionWill{Message::create(view), will.message_expiry_s, will.delay_s.value_or(0)};
}

void Core::on_session_attached(SessionAttached& answer) {
  using Outcome = SessionAttached::Outcome;
  Connection* const c = find(answer.conn);
  if (!c || c->phase != Phase::kWaitStore) {  // gone meanwhile, without having been let in
    if (answer.outcome != Outcome::kAttached) return;
    submit(SessionDetach{0, std::move(answer.client_id), answer.epoch, true, std::nullopt});
    return;
  }
  Session* const s = find_session(answer.client_id);
  SHOAL_ASSERT(s && s->successor == c->id);
  c->phase = Phase::kWaitRoutes;
  switch (answer.outcome) {
    case Outcome::kAttached: return resume_stored(*c, *s, answer);
    case Outcome::kVolatile: return attach(*c, *s, false);
    case Outcome::kRefusedUser: return refuse_user(*c);
    case Outcome::kSuperseded: return refuse_connect(*c, ReasonCode::kSessionTakenOver);
  }
}

// What the client had subscribed to, it gets from CONNACK on: at QoS 0 from whoever knows the routes.
void Core::resume_stored(Connection& c, Session& s, SessionAttached& answer) {
  s.durable = std::make_unique<Durable>();
  Durable& durable = *s.durable;
  durable.epoch = answer.epoch;
  durable.user = c.extra->opening->credentials.user;
  durable.present = answer.session_present;
  durable.received.insert(answer.received.begin(), answer.received.end());
  durable.stored = answer.session_present || session_expiry_of(connect_of(*c.extra->opening)) > 0;
  uint64_t batch = route_batch_;
  bool has_routes = false;
  for (const SessionFilter& each : answer.subscriptions) {
    const SubscriptionOptions options{each.qos, each.no_local, each.retain_as_published,
                                      each.identifier};
    if (parse_shared(each.filter)) {
      durable.shared.emplace(each.filter, options);
      continue;
    }
    has_routes = true;
    if (options.qos == Qos::k0) durable.has_live_qos = true;
    if (router_.subscribe(s.index, each.filter, options).announces) batch = route_batch_ + 1;
  }
  if (!has_routes) return attach(c, s, durable.present);
  connacks_.push_back({c.id, batch});
  flush_connacks();
}

void Core::flush_connacks() {
  while (!connacks_.empty() && has_lease() && routes_synced_ >= connacks_.front().batch) {
    Connection* const c = find(connacks_.front().conn);
    connacks_.pop_front();
    if (!c || c->phase != Phase::kWaitRoutes) continue;
    Session* const s = find_session(c->extra->opening->client_id);
    SHOAL_ASSERT(s && s->successor == c->id && s->durable);
    attach(*c, *s, s->durable->present);
  }
}

// The connection ends without having been let in: its will is not one that the client could count on.
void Core::withdraw_from_store(Connection& c) {
  Session* const s = find_session(c.extra->opening->client_id);
  SHOAL_ASSERT(s && s->successor == c.id);
  if (c.phase == Phase::kWaitStore) {
    current_.to_hub.emplace_back(ToStore(SessionWithdraw{c.id, s->client_id}));
  }
  s->successor = ConnId{};
  if (s->durable) detach(*s, {.discards_will = true, .expiry_s = std::nullopt});
  end_session(*s);
}

// The connection is gone, and with it what is here of the session.
void Core::detach(Session& s, const Farewell& farewell) {
  tell_news(s);  // before: afterwards it means nothing
  SessionDetach out;
  out.client_id = s.client_id;
  out.epoch = s.durable->epoch;
  drop_receives(*s.durable);
  out.discards_will = farewell.discards_will && !SHOAL_MUTATED("will-after-goodbye");
  out.expiry_s = farewell.expiry_s;
  s.durable.reset();
  submit(std::move(out));
}

void Core::on_session_evict(const SessionEvict& evict) {
  Session* const s = find_session(evict.client_id);
  if (!s || !s->durable || s->durable->epoch != evict.epoch) return;
  if (s->connection) {
    ++counters_.takeovers;
    close(*s->connection, ReasonCode::kSessionTakenOver);
  } else if (Connection* const waiting = find(s->successor)) {
    refuse_connect(*waiting, ReasonCode::kSessionTakenOver);
  }
}

}  // namespace shoal
