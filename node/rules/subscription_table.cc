#include "node/rules/subscription_table.h"

#include "shoal/assert.h"

namespace shoal {

// 28 bits of identifier [MQTT5-1.5.5-1] and four of the rest.
void Subscription::set_options(const SubscriptionOptions& options) {
  packed_options = options.identifier << 4 | uint32_t{options.retain_as_published} << 3 |
                   uint32_t{options.no_local} << 2 | static_cast<uint32_t>(options.qos);
}

SubscriptionOptions Subscription::options() const {
  return {.qos = static_cast<Qos>(packed_options & 3),
          .no_local = (packed_options & 4) != 0,
          .retain_as_published = (packed_options & 8) != 0,
          .identifier = packed_options >> 4};
}

const SubscriptionTable::Session* SubscriptionTable::session(SessionIndex index) const {
  return index < sessions_.size() ? &sessions_[index] : nullptr;
}

SubscriptionTable::Session& SubscriptionTable::session_of(SessionIndex index) {
  if (index >= sessions_.size()) sessions_.resize(size_t{index} + 1);
  return sessions_[index];
}

SubscriptionId SubscriptionTable::find_plain(SessionIndex session_index, FilterId id,
                                             SubscriptionId first) const {
  const Session* const owner = session(session_index);
  if (owner == nullptr) return kNoIndex;
  SubscriptionId of_session = owner->first_plain;
  SubscriptionId of_filter = first;
  while (of_session != kNoIndex && of_filter != kNoIndex) {
    if (subscriptions_[of_session].filter == id) return of_session;
    if (subscriptions_[of_filter].session == session_index) return of_filter;
    of_session = subscriptions_[of_session].next_of_session;
    of_filter = subscriptions_[of_filter].next_of_filter;
  }
  return kNoIndex;
}

SubscriptionId SubscriptionTable::add(SessionIndex session, FilterId id, Filter& filter,
                                      const SubscriptionOptions& options) {
  SHOAL_ASSERT(options.identifier < 1u << 28);
  const SubscriptionId made = subscriptions_.allocate();
  Subscription& subscription = subscriptions_[made];
  subscription.session = session;
  subscription.filter = id;
  subscription.set_options(options);
  Session& owner = session_of(session);
  link_to_session(made, filter.shared ? owner.first_shared : owner.first_plain);
  ++owner.count;
  if (filter.shared) return made;
  subscription.next_of_filter = filter.first_subscription;
  if (filter.first_subscription != kNoIndex) {
    subscriptions_[filter.first_subscription].previous_of_filter = made;
  }
  filter.first_subscription = made;
  return made;
}

void SubscriptionTable::remove(SubscriptionId id, Filter& filter) {
  const Subscription& subscription = subscriptions_[id];
  Session& owner = sessions_[subscription.session];
  unlink_from_session(id, filter.shared ? owner.first_shared : owner.first_plain);
  --owner.count;
  if (!filter.shared) {
    const auto [next, previous] =
        std::pair(subscription.next_of_filter, subscription.previous_of_filter);
    if (next != kNoIndex) subscriptions_[next].previous_of_filter = previous;
    (previous != kNoIndex ? subscriptions_[previous].next_of_filter : filter.first_subscription) =
        next;
  }
  subscriptions_.release(id);
}

void SubscriptionTable::link_to_session(SubscriptionId id, SubscriptionId& first) {
  subscriptions_[id].next_of_session = first;
  if (first != kNoIndex) subscriptions_[first].previous_of_session = id;
  first = id;
}

void SubscriptionTable::unlink_from_session(SubscriptionId id, SubscriptionId& first) {
  const auto [next, previous] =
      std::pair(subscriptions_[id].next_of_session, subscriptions_[id].previous_of_session);
  if (next != kNoIndex) subscriptions_[next].previous_of_session = previous;
  (previous != kNoIndex ? subscriptions_[previous].next_of_session : first) = next;
}

}  // namespace shoal
