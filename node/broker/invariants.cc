// What must hold after every event. Walks everything: for tests and the simulator.
#include <absl/container/flat_hash_map.h>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {

void Core::check_invariants() {
  size_t queued = 0, queued_bytes = 0, parked = 0, connected = 0;
  connections_.for_each([&](Connection& c) {
    check_connection(c);
    if (c.session) ++connected;
    if (c.extra) parked += c.extra->parked.size();
  });
  SHOAL_ASSERT(connected == counters_.connected_now);
  SHOAL_ASSERT(parked == counters_.parked_now);
  sessions_.for_each([&](Session& s) {
    check_session(s);
    queued += s.queue.size();
    queued_bytes += s.queued_bytes;
  });
  SHOAL_ASSERT(queued == counters_.queued_now);
  SHOAL_ASSERT(queued_bytes == counters_.queued_bytes_now);
  SHOAL_ASSERT(sessions_by_id_.size() == sessions_.size());
  SHOAL_ASSERT(quiet_.empty() && resume_.empty() && repicks_.empty());
  check_tickets();
  router_.check_invariants();
}

void Core::check_connection(Connection& c) {
  SHOAL_ASSERT((c.session != nullptr) == (c.phase == Phase::kConnected));
  SHOAL_ASSERT(!c.session || c.session->connection == &c);
  SHOAL_ASSERT(c.phase != Phase::kClosing || !c.extra);
  const bool opens = c.open() && c.phase != Phase::kConnected;
  SHOAL_ASSERT(!opens || (c.extra && c.extra->opening));
  SHOAL_ASSERT(opens || !c.extra || !c.extra->opening);
}

void Core::check_session(Session& s) {
  SHOAL_ASSERT(find_session(s.client_id) == &s);
  SHOAL_ASSERT(sessions_.find(s.index, s.generation) == &s);
  SHOAL_ASSERT(!s.ended || (!s.connection && s.queue.empty() && s.inflight.empty()));
  SHOAL_ASSERT(!s.ended || (router_.subscription_count(s.index) == 0 && s.open_tickets > 0));
  SHOAL_ASSERT(s.connection || s.ended || s.expiry_s > 0);
  SHOAL_ASSERT(!s.ended || s.timer == kNoTimer);
  SHOAL_ASSERT(!s.connection || s.quota_used <= s.connection->window);  // [MQTT5-4.9.0-2]
  SHOAL_ASSERT(s.resend_next <= s.inflight.span());
  size_t in_quota = 0, open = 0, held = 0, bytes = 0;
  for (uint32_t i = 0; i < s.inflight.span(); ++i) {
    const Delivery& delivery = s.inflight[i];
    if (delivery.state == DeliveryState::kFinished) continue;
    ++open;
    if (delivery.in_quota) ++in_quota;
    if (delivery.message) held += delivery.message->bytes();
    SHOAL_ASSERT(delivery.state != DeliveryState::kQueued);
  }
  SHOAL_ASSERT(open == s.inflight.open());
  SHOAL_ASSERT(held == s.inflight.held_bytes());
  SHOAL_ASSERT(!s.connection || in_quota == s.quota_used);
  for (uint32_t i = 0; i < s.queue.size(); ++i) bytes += s.queue[i].message->bytes();
  SHOAL_ASSERT(bytes == s.queued_bytes);
  SHOAL_ASSERT(s.replaying == (s.extra && !s.extra->replays.empty()));
}

// Whoever is waited for is counted once: in a lane, a session, the retained writes, or a list of work.
void Core::check_tickets() {
  absl::flat_hash_map<const Ticket*, uint32_t> waits;
  for (const auto& lane : lanes_) {
    for (uint32_t i = 0; i < lane->expected.size(); ++i) {
      if (lane->expected[i].workers != 0) ++waits[lane->expected[i].ticket];
    }
  }
  for (const auto& [number, ticket] : retain_waits_) ++waits[ticket];
  absl::flat_hash_map<const Session*, uint32_t> open;
  sessions_.for_each([&](Session& s) {
    const auto count = [&](const Delivery& d) {
      if (d.extra && d.extra->ticket) ++waits[d.extra->ticket];
    };
    for (uint32_t i = 0; i < s.inflight.span(); ++i) count(s.inflight[i]);
    for (uint32_t i = 0; i < s.queue.size(); ++i) count(s.queue[i]);
    if (!s.extra) return;
    for (uint32_t i = 0; i < s.extra->withheld.size(); ++i) ++waits[s.extra->withheld[i].ticket];
  });
  for (const Ticket* ticket = tickets_.oldest(); ticket; ticket = ticket->next) {
    SHOAL_ASSERT(ticket->pending > 0);
    SHOAL_ASSERT(ticket->pending == waits[ticket]);
    if (ticket->counted) ++open[ticket->session];
  }
  sessions_.for_each([&](Session& s) { SHOAL_ASSERT(s.open_tickets == open[&s]); });
}

}  // namespace shoal
