#include <algorithm>

#include "node/rules/router_state.h"
#include "shoal/assert.h"

namespace shoal {

void Router::check_invariants() const {
  const State& state = *state_;
  state.filters.check_invariants();

  size_t subscriptions = 0;
  for (SessionIndex session = 0; session < state.subscriptions.sessions_end(); ++session) {
    const SubscriptionTable::Session& owner = *state.subscriptions.session(session);
    uint32_t count = 0;
    for (const bool shared : {false, true}) {
      const SubscriptionId first = shared ? owner.first_shared : owner.first_plain;
      for (SubscriptionId id = first; id != kNoIndex;) {
        const Subscription& subscription = state.subscriptions[id];
        ++count;
        SHOAL_ASSERT(subscription.session == session);
        SHOAL_ASSERT(state.filters[subscription.filter].shared == shared);
        SHOAL_ASSERT(state.find_subscription(session, subscription.filter) == id);
        id = subscription.next_of_session;
      }
    }
    SHOAL_ASSERT(owner.count == count);
    subscriptions += count;
  }
  SHOAL_ASSERT(state.subscriptions.size() == subscriptions);

  size_t listed = 0;
  size_t with_groups = 0;
  for (FilterId id = 0; id < state.filters.end(); ++id) {
    const Filter& filter = state.filters[id];
    if (!filter.text) continue;
    SHOAL_ASSERT(filter.shared == state.groups.contains(id));
    SHOAL_ASSERT(filter.has_groups == state.groups_on.contains(id));
    SHOAL_ASSERT(filter.changed || state.weight_of(id) == state.announced_weight_of(id));
    SHOAL_ASSERT(filter.changed ==
                 (std::count(state.changed.begin(), state.changed.end(), id) == 1));
    with_groups += filter.has_groups;
    for (SubscriptionId each = filter.first_subscription; each != kNoIndex; ++listed) {
      SHOAL_ASSERT(state.subscriptions[each].filter == id);
      each = state.subscriptions[each].next_of_filter;
    }
  }
  SHOAL_ASSERT(state.groups_on.size() == with_groups);

  for (const auto& [id, group] : state.groups) {
    const auto members = group->members();
    listed += members.size();
    SHOAL_ASSERT(group->slow_ == std::count_if(members.begin(), members.end(),
                                               [](const SharedMember& m) { return m.slow; }));
    for (size_t i = 0; i < members.size(); ++i) {
      const Subscription& subscription = state.subscriptions[members[i].subscription];
      SHOAL_ASSERT(subscription.filter == id);
      SHOAL_ASSERT(subscription.session == members[i].session);
      SHOAL_ASSERT(subscription.next_of_filter == i);
      SHOAL_ASSERT(subscription.options() == members[i].options);
    }
  }
  SHOAL_ASSERT(listed == subscriptions);
}

}  // namespace shoal
