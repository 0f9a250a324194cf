// The events of a worker's broker, and what its parts share.
#include "node/broker/core.h"

#include <variant>

#include "node/rules/overloaded.h"
#include "node/rules/topic.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// The largest value of the option means no limit but the protocol's own.
size_t packet_size_max_of(const Limits& limits) {
  return limits.packet_size_max >= kVarintMax ? kPacketSizeMax : limits.packet_size_max;
}

}  // namespace

Core::Core(BrokerConfig config, uint64_t seed)
    : config_(std::move(config)),
      packet_size_max_(packet_size_max_of(config_.limits)),
      own_budget_(config_.limits.arriving_bytes_max),
      budget_(config_.arriving ? *config_.arriving : own_budget_),
      own_opening_budget_(config_.limits.opening_bytes_max()),
      opening_budget_(config_.opening ? *config_.opening : own_opening_budget_),
      random_(seed),
      router_({.worker = config_.worker, .seed = random_.next()}) {
  SHOAL_ASSERT(!config_.listeners.empty());
  lane_of(kSelf).up = true;
}

Core::~Core() {
  connections_.for_each([](Connection& c) { c.output.clear(); });
}

// ---- events -------------------------------------------------------------------------------------

ConnId Core::on_accept(Arrival arrival, Now now) {
  begin(now);
  SHOAL_ASSERT(arrival.listener < config_.listeners.size());
  const auto created = connections_.create();
  Connection& c = *created.object;
  c.id = {created.slot, created.generation};
  c.listener = arrival.listener;
  c.address = std::move(arrival.address);
  c.output.attach(pool_);
  auto opening = std::make_unique<Opening>();
  opening->tls_identity = std::move(arrival.tls_identity);
  opening->is_one_too_many = arrival.is_one_too_many;
  c.need_extra().opening = std::move(opening);
  set_connection_timer(c, arrival.connect_by.value_or(now.mono + config_.limits.connect_timeout));
  ++counters_.accepts;
  return c.id;
}

void Core::on_bytes(ConnId conn, std::span<const uint8_t> bytes, Now now) {
  begin(now);
  Connection* const c = find(conn);
  if (!c || !c->open()) return;
  counters_.bytes_in += bytes.size();
  read(*c, bytes);
  settle();
}

void Core::on_closed(ConnId conn, Now now) {
  begin(now);
  Connection* const c = find(conn);
  if (!c) return;
  if (c->open()) {
    if (c->phase == Phase::kConnected) {
      log(LogEvent::Kind::kDisconnected, *c, ReasonCode::kUnspecifiedError, "network closed");
    }
    withdraw(*c);
    leave_session(*c);
  }
  if (c->timer != kNoTimer) timers_.cancel(c->timer);
  c->output.clear();
  connections_.destroy(conn.slot);
  settle();
}

void Core::on_written(ConnId conn, Now now) {
  begin(now);
  Connection* const c = find(conn);
  if (!c || !c->session) return;
  c->output.want_room(false);
  pump(*c->session);
  settle();
}

void Core::on_credentials(ConnId conn, const CredentialAnswer& answer, Now now) {
  begin(now);
  Connection* const c = find(conn);
  if (!c || !c->open()) return;
  if (c->phase == Phase::kWaitCredentials) {
    on_authenticated(*c, answer);
  } else if (c->phase == Phase::kConnected) {
    if (answer.outcome == CredentialAnswer::Outcome::kAccepted) {
      set_rights(*c->session, answer);
    } else {
      close(*c, ReasonCode::kNotAuthorized, "rights withdrawn");
    }
  }
  settle();
}

void Core::on_mail(ToWorker&& mail, Now now) {
  begin(now);
  std::visit(Overloaded{
                 [this](RouteUpdate& m) { on_route_update(std::move(m)); },
                 [this](RoutesSynced& m) {
                   routes_synced_ = std::max(routes_synced_, m.number);
                   flush_subacks();
                   flush_connacks();
                 },
                 [this](ClaimAnswer& m) { on_claim_answer(m); },
                 [this](ClaimMoved& m) { on_claim_moved(m); },
                 [this](Evict& m) { on_evict(m); },
                 [this](PeerUp& m) { on_peer_up(m.node); },
                 [this](PeerDown& m) { on_peer_down(m.node); },
                 [this](PeerCongested& m) { on_congested(m); },
                 [this](ForwardIn& m) { on_forward_in(m); },
                 [this](AcceptIn& m) { on_accept_in(m); },
                 [this](RetainDone& m) { on_retain_done(m.number); },
                 [this](RetainedPortion& m) { on_portion(std::move(m)); },
                 [this](AckUntil& m) {
                   ack_until_ = m.until;
                   unpark();
                   flush_subacks();
                   flush_connacks();
                 },
                 [this](AllClose&) { on_all_close(); },
                 [this](Drain& m) { on_drain(m); },
                 [this](FromStore& m) { on_store_mail(m); },
             },
             mail);
  settle();
}

void Core::on_tick(Now now) {
  begin(now);
  timers_.advance(now.mono, [this](const TimerData& due) {
    if (due.kind == TimerKind::kConnection) {
      Connection* const c = connections_.find(due.slot, due.generation);
      return c ? on_connection_due(*c) : Instant::never();
    }
    Session* const s = sessions_.find(due.slot, due.generation);
    return s ? retry(*s) : Instant::never();
  });
  check_members();  // before those are closed who have too much
  expire_tickets();
  check_slow();
  drain_some();
  pool_.trim();
  settle();
}

void Core::on_more(Now now) {
  begin(now);
  turn_deliveries_ = 0;
  for (const ConnId conn : std::exchange(turn_used_up_, {})) {
    if (Connection* const c = find(conn)) unpause(*c, kPauseTurn);
  }
  settle();
}

Output& Core::output(ConnId conn) {
  Connection* const c = find(conn);
  SHOAL_ASSERT(c != nullptr);
  return c->output;
}

Effects& Core::end_turn(Now now) {
  begin(now);
  announce_routes();
  flush_news();
  flush_lanes();
  flush_acceptances();
  report_pauses();
  list_wishes();
  for (const ConnId conn : current_.dirty) {
    if (Connection* const c = find(conn)) c->dirty = false;
  }
  turn_deliveries_ = 0;
  current_.more = !turn_used_up_.empty();
  std::swap(current_, carried_);
  current_.clear();
  return carried_;
}

void Core::shut_down(Now now) {
  begin(now);
  shutting_down_ = true;
  connections_.for_each([this](Connection& c) {
    if (!c.open()) return;
    if (c.phase == Phase::kConnected) {
      close(c, ReasonCode::kServerShuttingDown);
    } else {
      refuse_connect(c, ReasonCode::kServerUnavailable, "shutting down");
    }
  });
  settle();
}

bool Core::kick(std::string_view client_id, Now now) {
  begin(now);
  Session* const s = find_session(client_id);
  if (!s || !s->connection) return false;
  close(*s->connection, ReasonCode::kAdministrativeAction);
  settle();
  return true;
}

// ---- work put off ---------------------------------------------------------------------------------

void Core::settle() {
  while (!quiet_.empty() || !resume_.empty() || !repicks_.empty()) {
    for (Repick& pick : std::exchange(repicks_, {})) repick(std::move(pick));
    for (const auto& [slot, generation] : std::exchange(quiet_, {})) {
      if (Session* const s = sessions_.find(slot, generation)) on_quiet(*s);
    }
    for (const ConnId conn : std::exchange(resume_, {})) {
      Connection* const c = find(conn);
      if (c && may_read(*c)) read(*c, {});
    }
  }
}

// ---- connections ------------------------------------------------------------------------------------

void Core::touch(Connection& c) {
  if (c.dirty) return;
  c.dirty = true;
  current_.dirty.push_back(c.id);
}

void Core::pause(Connection& c, PauseReason reason) {
  c.paused |= reason;
  list_pause(c);
}

void Core::unpause(Connection& c, PauseReason reason) {
  if (!(c.paused & reason)) return;
  c.paused &= static_cast<uint8_t>(~reason);
  if (c.paused != 0) return;
  list_pause(c);
  resume_.push_back(c.id);
  c.last_in = now_.mono;  // its silence was ours
}

void Core::list_pause(Connection& c) {
  if (c.pause_listed) return;
  c.pause_listed = true;
  pause_changes_.push_back(c.id);
}

void Core::report_pauses() {
  for (const ConnId conn : pause_changes_) {
    Connection* const c = find(conn);
    if (!c) continue;
    c->pause_listed = false;
    const bool paused = c->paused != 0;
    if (paused == c->paused_reported || !c->open()) continue;
    c->paused_reported = paused;
    (paused ? current_.pause_reading : current_.resume_reading).push_back(conn);
  }
  pause_changes_.clear();
}

// A 3.x client has no Receive Maximum: what it may have open is bounded by not reading it. A 5.0
// client is stopped by its own quota, but its SUBSCRIBEs count too.
void Core::waits_more(Connection& c) {
  if (++c.waiting >= config_.limits.receive_maximum &&
      (c.version != ProtocolVersion::kMqtt5 || c.waiting > config_.limits.receive_maximum)) {
    pause(c, kPauseWaiting);
  }
}

void Core::waits_less(Connection& c) {
  SHOAL_ASSERT(c.waiting > 0);
  if (--c.waiting < config_.limits.receive_maximum) unpause(c, kPauseWaiting);
}

void Core::set_connection_timer(Connection& c, Instant when) {
  if (c.timer != kNoTimer) timers_.cancel(c.timer);
  c.timer = kNoTimer;
  if (when == Instant::never()) return;
  c.timer = timers_.add(when, {c.id.slot, c.id.generation, TimerKind::kConnection});
}

void Core::drop_extra_if_idle(Connection& c) {
  if (c.extra && c.extra->idle()) c.extra.reset();
}

void Core::drop_extra_if_idle(Session& s) {
  if (s.extra && s.extra->idle()) s.extra.reset();
}

void Core::log(LogEvent::Kind kind, const Connection& c, ReasonCode reason,
               std::string_view detail) {
  LogEvent event;
  event.kind = kind;
  event.conn = c.id;
  if (c.session) {
    event.client_id = c.session->client_id;
    if (c.session->extra) event.user = c.session->extra->user;
  } else if (c.extra && c.extra->opening) {
    event.client_id = c.extra->opening->client_id;
    event.user = c.extra->opening->credentials.user;
  }
  event.address = c.address;
  event.reason = reason;
  event.detail = detail;
  current_.log.push_back(std::move(event));
}

// ---- sessions -----------------------------------------------------------------------------------------

Session* Core::find_session(std::string_view client_id) {
  const auto found = sessions_by_id_.find(client_id);
  return found == sessions_by_id_.end() ? nullptr : *found;
}

Session& Core::create_session(std::string client_id) {
  const auto created = sessions_.create();
  Session& s = *created.object;
  s.client_id = std::move(client_id);
  s.hash = client_id_hash(s.client_id, 0);
  s.index = created.slot;
  s.generation = created.generation;
  const bool inserted = sessions_by_id_.insert(&s).second;
  SHOAL_ASSERT(inserted);
  return s;
}

void Core::destroy_session(Session& s) {
  SHOAL_ASSERT(!s.connection);
  SHOAL_ASSERT(s.open_tickets == 0);
  SHOAL_ASSERT(s.timer == kNoTimer);
  sessions_by_id_.erase(&s);
  sessions_.destroy(s.index);
}

void Core::for_each_session(const std::function<void(const SessionInfo&)>& visit) {
  sessions_.for_each([&](Session& s) {
    if (!s.connection) return;
    SessionInfo info;
    info.client_id = s.client_id;
    if (s.extra) info.user = s.extra->user;
    info.address = s.connection->address;
    info.conn = s.connection->id;
    info.subscriptions = subscription_count(s);
    info.queued = s.is_stored() ? s.durable->window.waiting() : s.queue.size();
    info.inflight = s.is_stored() ? s.durable->window.open() : s.inflight.open();
    visit(info);
  });
}

void Core::for_each_subscription(std::string_view client_id,
                                 const Broker::SubscriptionVisit& visit) {
  const auto visit_those_of = [&](const Session& s) {
    if (!s.connection) return;
    const auto visit_one = [&](std::string_view filter, const SubscriptionOptions& options) {
      visit(s.client_id, filter, options);
    };
    router_.for_each_subscription(s.index, visit_one);
    if (!s.durable) return;
    for (const auto& [filter, options] : s.durable->shared) visit_one(filter, options);
  };
  if (client_id.empty()) return sessions_.for_each(visit_those_of);
  if (const Session* const s = find_session(client_id)) visit_those_of(*s);
}

const BrokerCounters& Core::counters() {
  counters_.connections_now = connections_.size();
  counters_.sessions_now = sessions_.size();
  counters_.subscriptions_now = router_.counts().subscriptions;
  counters_.tickets_now = tickets_.size();
  return counters_;
}

}  // namespace shoal
