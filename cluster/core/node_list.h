#pragma once

#include <algorithm>
#include <span>

#include "shoal/types.h"

namespace shoal {

inline bool contains(std::span<const NodeId> nodes, NodeId id) {
  return std::find(nodes.begin(), nodes.end(), id) != nodes.end();
}

}  // namespace shoal
