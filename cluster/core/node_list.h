#pragma once

#include <algorithm>
#include <vector>

#include "shoal/types.h"

namespace shoal {

inline bool contains(const std::vector<NodeId>& nodes, NodeId id) {
  return std::find(nodes.begin(), nodes.end(), id) != nodes.end();
}

}  // namespace shoal
