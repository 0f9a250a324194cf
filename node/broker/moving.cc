// Connections go to another worker of the node: a client that only publishes goes to where its subscribers
// are, so that its messages need not cross from worker to worker. It goes when nothing of it is open, behind
// what it published, and so overtakes nothing.
#include <bit>
#include <utility>

#include "node/broker/core.h"
#include "node/broker/moved_client.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// More would be a burden in each turn; who is not among them is found again later.
constexpr size_t kMoversMax = 64;

}  // namespace

// The one other worker of this node that alone wants the message.
std::optional<WorkerIndex> Core::sole_target(const Match& match) {
  const auto remotes = match.remotes();
  if (!match.targets().empty() || !match.groups().empty() || remotes.size() != 1) return {};
  if (remotes[0].node != kSelf || !std::has_single_bit(remotes[0].worker_mask)) return {};
  return static_cast<WorkerIndex>(std::countr_zero(remotes[0].worker_mask));
}

// Counts how many of its publishes in a row were for one other worker alone.
void Core::note_way(const Publication& p, const Match& match) {
  Connection& c = *p.publisher->connection;
  if (offers_ > 0) return offer(c);
  const auto target = sole_target(match);
  if (!target || *target != c.away_worker) c.away_streak = 0;
  if (!target) return;
  c.away_worker = *target;
  if (c.away_streak < config_.limits.away_streak) ++c.away_streak;
  if (c.away_streak == config_.limits.away_streak) list_mover(c);
}

void Core::list_mover(Connection& c) {
  if (c.mover_listed || movers_.size() >= kMoversMax) return;
  c.mover_listed = true;
  movers_.push_back(c.id);
}

void Core::offer(Connection& c) {
  if (c.mover_listed || !is_publisher_only(*c.session)) return;
  --offers_;
  c.away_worker = offered_to_;
  c.away_streak = config_.limits.away_streak;
  list_mover(c);
}

void Core::offer_publishers(WorkerIndex to, uint32_t most) {
  offered_to_ = to;
  offers_ = most;
}

// With each turn: who may go now is told to the runtime, which knows whether it is a good moment.
void Core::list_wishes() {
  std::erase_if(movers_, [this](ConnId conn) {
    Connection* const c = find(conn);
    if (!c || !c->session) return true;
    const bool still_wants = c->away_streak == config_.limits.away_streak;
    if (still_wants && !may_move(*c)) return false;
    if (still_wants) current_.wishes.push_back({conn, c->away_worker});
    c->mover_listed = false;
    c->away_streak = 0;
    return true;
  });
}

bool Core::is_publisher_only(const Session& s) const {
  return !s.durable && s.inflight.empty() && s.queue.empty() && !s.replaying &&
         subscription_count(s) == 0;
}

// Nothing that is open here, or on its way to here, names the connection.
bool Core::may_move(const Connection& c) const {
  if (c.phase != Phase::kConnected || c.paused != 0 || c.paused_reported || c.pause_listed)
    return false;
  if (c.open_in != 0 || c.waiting != 0 || draining_ || shutting_down_) return false;
  if (c.extra && (!c.extra->unread.empty() || !c.extra->parked.empty() || c.extra->exchange))
    return false;
  const Session& s = *c.session;
  if (s.open_tickets != 0 || s.dismissed || (s.received && !s.received->empty())) return false;
  if (s.successor != ConnId{} || s.timer != kNoTimer) return false;
  if (s.extra && (!s.extra->withheld.empty() || !s.extra->replays.empty() ||
                  !s.extra->evicted_claims.empty())) {
    return false;
  }
  return is_publisher_only(s);
}

std::unique_ptr<MovedClient> Core::move_out(ConnId conn, WorkerIndex to, Now now) {
  begin(now);
  Connection* const c = find(conn);
  if (!c || !may_move(*c) || !c->output.empty() || c->dirty) return nullptr;
  Session& s = *std::exchange(c->session, nullptr);
  auto moved = std::make_unique<MovedClient>();
  moved->from = config_.worker;
  moved->number = ++last_move_;
  moved->closings = closings_;
  moved->terms = *c;
  moved->last_in = c->last_in;
  moved->address = std::move(c->address);
  moved->extra = std::move(c->extra);
  moved->client_id = s.client_id;
  moved->claim = s.claim;
  moved->session_extra = std::move(s.extra);
  moved_[s.client_id] = {s.claim, to, moved->number};
  ++counters_.moves;
  --counters_.connected_now;
  set_connection_timer(*c, Instant::never());
  connections_.destroy(conn.slot);
  s.connection = nullptr;
  destroy_session(s);
  return moved;
}

ConnId Core::move_in(std::unique_ptr<MovedClient> moved, Now now) {
  begin(now);
  const auto created = connections_.create();
  Connection& c = *created.object;
  c.id = {created.slot, created.generation};
  c.output.attach(pool_);
  c.phase = Phase::kConnected;
  static_cast<ConnectionTerms&>(c) = moved->terms;
  c.last_in = moved->last_in;
  c.address = std::move(moved->address);
  c.extra = std::move(moved->extra);
  c.connected_counted = true;
  ++counters_.connected_now;
  moved_.erase(moved->client_id);
  Session& s = create_session(std::move(moved->client_id));
  s.claim = moved->claim;
  s.extra = std::move(moved->session_extra);
  if (s.extra) s.access = s.extra->access.get();
  s.connection = &c;
  c.session = &s;
  set_connection_timer(c, keep_alive_end(c));
  current_.to_hub.push_back(ClaimMove{s.client_id, s.claim, moved->from, moved->number});
  // It left before its worker closed all, and comes after this one did.
  if (moved->closings < closings_) close(c, ReasonCode::kServerBusy, "this node was cut off");
  if (shutting_down_ && c.open()) close(c, ReasonCode::kServerShuttingDown);
  settle();
  return {created.slot, created.generation};
}

// Somebody is to have its client id. Until the hub knows where the client is, it asks here.
bool Core::evict_moved(const std::string& client_id, const Stamp& claim,
                       const std::optional<std::string>& user) {
  const auto moved = moved_.find(client_id);
  if (moved == moved_.end() || moved->second.claim != claim) return false;
  current_.to_workers.push_back({moved->second.to, Evict{client_id, claim, user}});
  return true;
}

void Core::on_claim_moved(const ClaimMoved& known) {
  const auto moved = moved_.find(known.client_id);
  if (moved != moved_.end() && moved->second.number == known.number) moved_.erase(moved);
}

}  // namespace shoal
