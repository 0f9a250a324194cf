// The subscriptions of one worker's sessions. Each stands in two lists: of its session, and (a
// plain one) of its filter or (a shared one) among its group's members. A session with one
// subscription takes 16 + 28 bytes here.
#pragma once

#include <cstdint>
#include <vector>

#include "node/rules/filter_table.h"
#include "node/rules/slab.h"
#include "node/rules/subscription.h"

namespace shoal {

using SubscriptionId = uint32_t;

struct Subscription {
  SessionIndex session = 0;
  FilterId filter = kNoIndex;
  uint32_t packed_options = 0;
  SubscriptionId next_of_session = kNoIndex;
  SubscriptionId previous_of_session = kNoIndex;
  SubscriptionId next_of_filter = kNoIndex;  // of a shared one: its position among the members
  SubscriptionId previous_of_filter = kNoIndex;

  SubscriptionOptions options() const;
  void set_options(const SubscriptionOptions& options);
};

class SubscriptionTable {
 public:
  struct Session {
    SubscriptionId first_plain = kNoIndex;
    // Apart, so that one is found without a walk over the plain ones.
    SubscriptionId first_shared = kNoIndex;
    uint32_t mark = 0;  // for MatchBuilder: where the session may stand in its list
    uint32_t count = 0;
  };

  Subscription& operator[](SubscriptionId id) { return subscriptions_[id]; }
  const Subscription& operator[](SubscriptionId id) const { return subscriptions_[id]; }
  // One that has no subscription may not be there: null.
  const Session* session(SessionIndex index) const;
  // Makes it.
  Session& session_of(SessionIndex index);
  // Of a session that has a subscription.
  uint32_t& mark(SessionIndex index) { return sessions_[index].mark; }

  // The plain subscription of `session` to `id`, whose list begins at `first`; kNoIndex: none.
  // Looks through both lists side by side, so it takes as long as the shorter one.
  SubscriptionId find_plain(SessionIndex session, FilterId id, SubscriptionId first) const;

  // Puts a subscription to `filter`, whose number is `id`, into the lists it belongs in (a shared
  // one not among the members).
  SubscriptionId add(SessionIndex session, FilterId id, Filter& filter,
                     const SubscriptionOptions& options);
  void remove(SubscriptionId id, Filter& filter);

  void prefetch(SubscriptionId id) const {
    if (id != kNoIndex) __builtin_prefetch(&subscriptions_[id]);
  }
  void prefetch_session(SubscriptionId id) const {
    if (id != kNoIndex) __builtin_prefetch(&sessions_[subscriptions_[id].session]);
  }

  size_t size() const { return subscriptions_.used(); }
  SessionIndex sessions_end() const { return static_cast<SessionIndex>(sessions_.size()); }

 private:
  void link_to_session(SubscriptionId id, SubscriptionId& first);
  void unlink_from_session(SubscriptionId id, SubscriptionId& first);

  Slab<Subscription> subscriptions_;
  std::vector<Session> sessions_;
};

}  // namespace shoal
