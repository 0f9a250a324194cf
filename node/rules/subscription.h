// What a subscription asks for, apart from its filter.
#pragma once

#include <cstdint>

#include "shoal/types.h"

namespace shoal {

// The broker's index of a session: small numbers, used again after a session ended.
using SessionIndex = uint32_t;

// Retain Handling is not here: it matters only while the SUBSCRIBE is worked on.
struct SubscriptionOptions {
  Qos qos = Qos::k0;
  bool no_local = false;  // never with a shared subscription [MQTT5-3.8.3-4]
  bool retain_as_published = false;
  uint32_t identifier = 0;  // Subscription Identifier, at most 268,435,455; 0: none
  bool operator==(const SubscriptionOptions&) const = default;
};

}  // namespace shoal
