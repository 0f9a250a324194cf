// What goes to one node, and what is expected back from it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node/broker/ring.h"
#include "node/broker/tickets.h"
#include "node/rules/forward_batch.h"
#include "node/rules/shared_group.h"
#include "shoal/types.h"

namespace shoal {

// A message that was sent to a place of a shared subscription, and may come back.
struct SharedAttempt {
  std::string filter;
  TriedPlaces tried;
};

// A numbered message that some workers of a node have yet to accept.
struct Expected {
  Ticket* ticket = nullptr;
  uint64_t workers = 0;
  std::unique_ptr<SharedAttempt> shared;
};

// What goes to one node.
struct Lane {
  explicit Lane(WorkerIndex worker) : writer(worker) {}
  ForwardBatchWriter writer;
  Ring<Expected> expected;
  uint64_t first = 1;  // number of expected[0]
  bool up = false;
  bool congested = false;
  std::vector<ConnId> paused;  // publishers that wait for the end of the congestion
  uint64_t consumed = 0;       // bytes of its batches that were worked off in this turn
};

struct Repick {
  Ticket* ticket = nullptr;
  std::unique_ptr<SharedAttempt> attempt;
};

}  // namespace shoal
