// Retained messages for a subscription.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "node/rules/subscription.h"
#include "shoal/message.h"

namespace shoal {

// The retained messages for one new subscription, on their way to the client.
struct Replay {
  uint64_t query = 0;
  std::string filter;
  SubscriptionOptions options;
  std::vector<MessageRef> portion;
  size_t next = 0;      // in portion
  bool asked = false;   // the next portion is on its way
  bool done = false;    // portion is the last one
  bool system = false;  // of this worker's own $SYS messages
};

}  // namespace shoal
