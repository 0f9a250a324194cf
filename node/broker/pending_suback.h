// SUBACKs that wait.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/broker/replay.h"
#include "node/codec/reason_code.h"
#include "node/rules/subscription.h"
#include "shoal/session_store.h"
#include "shoal/types.h"

namespace shoal {

// A subscription of a durable session that the store is asked for.
struct StoredChange {
  std::string filter;
  SubscriptionOptions options;
  std::optional<SubscriptionOptions> before;
  size_t position = 0;  // in the SUBACK
  bool shared = false;
  bool replay = false;  // retained messages are owed by the store
};

// Until all places have the routes and, for a durable session, the store the subscriptions.
struct PendingSubAck {
  ConnId conn;
  uint16_t packet_id = 0;
  uint64_t batch = 0;                           // RouteBatch that must be synced
  uint64_t number = 0;                          // of the SessionSubscribe; 0: none
  std::optional<SessionDone::Outcome> outcome;  // of that, when it is there
  std::vector<ReasonCode> reasons;
  std::vector<Replay> replays;
  std::vector<StoredChange> changes;
};

}  // namespace shoal
