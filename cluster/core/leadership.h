// Which shards' leaderships a node gives to others, as it decides for itself: all of them when it is to go,
// else one at a time when another that could lead has fewer for its weight.
#pragma once

#include <cstdint>
#include <vector>

#include "shoal/types.h"

namespace shoal {

struct LeadershipView {
  struct Node {
    NodeId id;
    uint32_t weight = 1;  // 0: leads nothing if another can
    uint32_t leads = 0;   // shards
  };
  struct Led {
    uint32_t shard = 0;
    std::vector<NodeId> able;  // other voters that lack little of the log
  };
  bool gives_all = false;
  Node self;
  std::vector<Node> others;  // that are here, and to stay
  std::vector<Led> led;      // by this node
};

struct Handover {
  uint32_t shard = 0;
  NodeId to;
};

std::vector<Handover> next_handovers(LeadershipView view);

}  // namespace shoal
