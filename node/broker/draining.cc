// Draining: clients are sent away at a set rate. Whoever was told that a message is taken may rely on it,
// so a client goes when it has confirmed all that was accepted for it until its turn came. What comes
// after that is not accepted before its connection has ended: its publisher waits for so long, and
// nothing is promised to a client that is not there any more.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {

void Core::on_drain(const Drain& drain) {
  drain_per_second_ = drain.per_second;
  draining_ = drain.per_second > 0;
  drains_for_good_ = drain.is_for_good;
  drain_credit_ = 0;
  if (!draining_) end_dismissals();
}

// With every tick.
void Core::drain_some() {
  if (!draining_) return;
  drain_credit_ += drain_per_second_ * static_cast<double>(Broker::kTick.ns) / 1e9;
  connections_.for_each([this](Connection& c) {
    if (drain_credit_ < 1 || c.phase != Phase::kConnected || c.session->dismissed) return;
    drain_credit_ -= 1;
    dismiss(c);
  });
  drain_credit_ = std::min(drain_credit_, 1.0);
  std::erase_if(dismissals_, [this](Dismissal& dismissal) {
    Connection* const c = find(dismissal.conn);
    if (!c || c->phase != Phase::kConnected) return true;
    if (now_.mono < dismissal.deadline && owes(*c->session, dismissal)) return false;
    close(*c, reason_to_go());
    return true;
  });
}

// "Moved" makes a client forget this address, so it is said only with the one to remember instead: that
// of a balancer stays good without this node.
ReasonCode Core::reason_to_go() const {
  const bool is_moved = drains_for_good_ && !config_.server_reference.empty();
  return is_moved ? ReasonCode::kServerMoved : ReasonCode::kUseAnotherServer;
}

void Core::dismiss(Connection& c) {
  Session& s = *c.session;
  s.dismissed = true;
  dismissals_.push_back({.conn = c.id,
                         .deadline = now_.mono + config_.limits.dismissal_timeout,
                         .queue_end = s.queue_begin + s.queue.size(),
                         .inflight_end = std::nullopt});
}

// Whether something that was accepted before the dismissal is not confirmed by the client.
bool Core::owes(const Session& s, Dismissal& dismissal) const {
  // What it was not sent yet, the store keeps for it.
  if (s.is_stored()) return s.durable->window.open() > 0;
  if (s.queue_begin < dismissal.queue_end) return true;
  if (!dismissal.inflight_end) dismissal.inflight_end = s.inflight.next_number();
  return s.inflight.first_number() < *dismissal.inflight_end;
}

// Those who are still here stay.
void Core::end_dismissals() {
  for (const Dismissal& dismissal : std::exchange(dismissals_, {})) {
    Connection* const c = find(dismissal.conn);
    if (!c || c->phase != Phase::kConnected) continue;
    c->session->dismissed = false;
    pump(*c->session);
  }
}

}  // namespace shoal
