// A client that is sent away.
#pragma once

#include <cstdint>
#include <optional>

#include "shoal/types.h"

namespace shoal {

// A connection that is to end, and what its session is owed before that.
struct Dismissal {
  ConnId conn;
  Instant deadline;
  uint64_t queue_end = 0;                // accepted until then: before this position
  std::optional<uint64_t> inflight_end;  // known when all of those are sent: they are before it
};

}  // namespace shoal
