// SUBSCRIBE and UNSUBSCRIBE of durable sessions. Plain filters are in this worker's router too, which has
// what is delivered at QoS 0; all are the store's.
#include <algorithm>
#include <utility>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {

size_t Core::subscription_count(const Session& s) const {
  return router_.subscription_count(s.index) + (s.durable ? s.durable->shared.size() : 0);
}

bool Core::has_subscription(const Session& s, std::string_view filter) const {
  return router_.has_subscription(s.index, filter) ||
         (s.durable && s.durable->shared.contains(filter));
}

// Whether it had this filter before. What the live path delivers at QoS 0 it goes on delivering until the
// store has the subscription: rather twice than not at all [MQTT5-3.8.4-4].
bool Core::subscribe_stored(Session& s, std::string_view filter, bool is_shared,
                            const SubscriptionOptions& options, PendingSubAck& pending) {
  Durable& durable = *s.durable;
  StoredChange change;
  change.filter = std::string(filter);
  change.options = options;
  change.position = pending.reasons.size();
  change.shared = is_shared;
  if (is_shared) {
    const auto [at, is_new] = durable.shared.try_emplace(change.filter, options);
    if (!is_new) change.before = std::exchange(at->second, options);
  } else {
    change.before = router_.subscription(s.index, filter);
    SubscriptionOptions meanwhile = options;
    if (change.before) meanwhile.qos = std::min(change.before->qos, options.qos);
    if (!change.before && durable.has_live_qos) meanwhile.qos = Qos::k0;
    if (options.qos == Qos::k0) durable.has_live_qos = true;
    if (router_.subscribe(s.index, filter, meanwhile).announces) pending.batch = route_batch_ + 1;
  }
  pending.changes.push_back(std::move(change));
  return pending.changes.back().before.has_value();
}

void Core::ask_store_for(Session& s, PendingSubAck pending) {
  SessionSubscribe out;
  out.client_id = s.client_id;
  out.epoch = s.durable->epoch;
  for (const StoredChange& change : pending.changes) {
    const SubscriptionOptions& options = change.options;
    out.filters.push_back({change.filter, options.qos, options.no_local,
                           options.retain_as_published, options.identifier, change.replay});
  }
  const ConnId conn = pending.conn;
  pending.number = submit(std::move(out));
  store_numbers_.expect(pending.number, {conn, WaitingSubAck{}});
  for (const StoredChange& change : pending.changes) {
    s.durable->changing.insert_or_assign(change.filter, pending.number);
  }
  s.durable->subacks.push_back(std::move(pending));
}

// One with shared filters is answered when their shards know of them, which later ones do not wait for;
// SUBACKs go in the order of the SUBSCRIBEs.
void Core::on_stored_subscribed(Session& s, const SessionDone& done) {
  Ring<PendingSubAck>& subacks = s.durable->subacks;
  for (uint32_t i = 0; i < subacks.size(); ++i) {
    if (subacks[i].number == done.number) subacks[i].outcome = done.outcome;
  }
  while (!subacks.empty() && subacks.front().outcome) finish_subscribe(s, subacks.pop_front());
  subacks.release_if_empty();
  flush_subacks();
}

void Core::finish_subscribe(Session& s, PendingSubAck pending) {
  const bool refused = *pending.outcome == SessionDone::Outcome::kQuota;
  auto& changing = s.durable->changing;
  // What was unsubscribed meanwhile is owed nothing any more.
  std::erase_if(pending.replays,
                [&](const Replay& replay) { return refused || !changing.contains(replay.filter); });
  for (const StoredChange& change : pending.changes) {
    if (refused) pending.reasons[change.position] = ReasonCode::kQuotaExceeded;
    const auto last = changing.find(change.filter);
    if (last == changing.end() || last->second != pending.number)
      continue;  // a later packet decides
    if (refused) {
      refuse_change(s, change);
    } else if (!change.shared) {
      router_.subscribe(s.index, change.filter, change.options);
    }
  }
  for (const StoredChange& change : pending.changes) {
    const auto last = changing.find(change.filter);
    if (last != changing.end() && last->second == pending.number) changing.erase(last);
  }
  subacks_.push_back(std::move(pending));
}

// As it was before.
void Core::refuse_change(Session& s, const StoredChange& change) {
  auto& shared = s.durable->shared;
  if (change.before && change.shared) {
    shared.insert_or_assign(change.filter, *change.before);
  } else if (change.before) {
    router_.subscribe(s.index, change.filter, *change.before);
  } else if (change.shared) {
    shared.erase(change.filter);
  } else {
    router_.unsubscribe(s.index, change.filter);
  }
}

bool Core::unsubscribe_stored(Session& s, std::string_view filter) {
  s.durable->changing.erase(filter);
  return s.durable->shared.erase(filter) != 0 || router_.unsubscribe(s.index, filter);
}

}  // namespace shoal
