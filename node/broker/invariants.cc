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
  SHOAL_ASSERT(!s.ended || !s.connection);
  SHOAL_ASSERT(!s.ended || (router_.subscription_count(s.index) == 0 && s.open_tickets > 0));
  SHOAL_ASSERT(s.connection || (s.queue.empty() && s.inflight.empty()));
  SHOAL_ASSERT(!s.is_opening() || find(s.successor));
  if (s.durable) check_stored(s);
  SHOAL_ASSERT(s.connection || s.timer == kNoTimer);
  SHOAL_ASSERT(!s.connection || s.inflight.open() <= s.connection->window);  // [MQTT5-4.9.0-2]
  size_t open = 0, held = 0, bytes = 0;
  for (uint32_t i = 0; i < s.inflight.span(); ++i) {
    const Delivery& delivery = s.inflight[i];
    if (delivery.state == DeliveryState::kFinished) continue;
    ++open;
    if (delivery.message) held += delivery.message->bytes();
    SHOAL_ASSERT(delivery.state != DeliveryState::kQueued);
  }
  SHOAL_ASSERT(open == s.inflight.open());
  SHOAL_ASSERT(held == s.inflight.held_bytes());
  for (uint32_t i = 0; i < s.queue.size(); ++i) bytes += s.queue[i].message->bytes();
  SHOAL_ASSERT(bytes == s.queued_bytes);
  SHOAL_ASSERT(s.replaying == (s.extra && !s.extra->replays.empty()));
}

void Core::check_stored(Session& s) {
  SHOAL_ASSERT(!s.ended && s.durable->epoch != 0);
  SHOAL_ASSERT(!s.durable->news_listed && s.durable->acks.empty());
  if (!s.is_stored()) return;
  SHOAL_ASSERT(s.queue.empty() && s.inflight.empty() && !s.received);
  const StoredWindow& window = s.durable->window;
  SHOAL_ASSERT(!s.connection || window.quota_used() <= s.connection->window);  // [MQTT5-4.9.0-2]
  size_t in_quota = 0, open = 0, held = 0;
  uint64_t last = 0;
  for (uint32_t i = 0; i < window.span(); ++i) {
    const StoredDelivery& delivery = window[i];
    SHOAL_ASSERT(delivery.number > last);
    last = delivery.number;
    if (delivery.state == StoredDelivery::State::kFinished) continue;
    ++open;
    if (delivery.in_quota) ++in_quota;
    if (delivery.message) held += delivery.message->bytes();
  }
  SHOAL_ASSERT(last <= s.durable->passed);
  SHOAL_ASSERT(in_quota == window.quota_used());
  SHOAL_ASSERT(open == window.open());
  SHOAL_ASSERT(held == window.held_bytes());
}

// Whoever is waited for is counted once: in a lane, a session, the retained writes, the
// store, or a list of work.
void Core::check_tickets() {
  absl::flat_hash_map<const Ticket*, uint32_t> waits, members;
  for (const auto& lane : lanes_) {
    for (uint32_t i = 0; i < lane->expected.size(); ++i) {
      const Expected& expected = lane->expected[i];
      if (expected.workers != 0) ++(expected.shared ? members : waits)[expected.ticket];
    }
  }
  for (const auto& [number, ticket] : retain_waits_) ++waits[ticket];
  store_numbers_.for_each([&](const StoreWait& wait) {
    if (const auto* const publish = std::get_if<WaitingTicket>(&wait.what)) {
      ++waits[publish->ticket];
    }
  });
  absl::flat_hash_map<const Session*, uint32_t> open;
  sessions_.for_each([&](Session& s) {
    const auto count = [&](const Delivery& d) {
      if (d.extra && d.extra->ticket) ++members[d.extra->ticket];
    };
    for (uint32_t i = 0; i < s.inflight.span(); ++i) count(s.inflight[i]);
    for (uint32_t i = 0; i < s.queue.size(); ++i) count(s.queue[i]);
    if (s.durable) {
      const Ring<PendingReceive>& receives = s.durable->receives;
      for (uint32_t i = 0; i < receives.size(); ++i) ++waits[receives[i].ticket];
    }
    if (!s.extra) return;
    for (uint32_t i = 0; i < s.extra->withheld.size(); ++i) ++waits[s.extra->withheld[i].ticket];
  });
  for (const Ticket* ticket = tickets_.oldest(); ticket; ticket = ticket->next) {
    SHOAL_ASSERT(ticket->pending > 0);
    SHOAL_ASSERT(ticket->members == members[ticket]);
    SHOAL_ASSERT(ticket->pending == waits[ticket] + ticket->members);
    if (ticket->counted) ++open[ticket->session];
  }
  sessions_.for_each([&](Session& s) { SHOAL_ASSERT(s.open_tickets == open[&s]); });
}

}  // namespace shoal
