// The versions of the protocol between nodes, and of what they keep on disk, that this program speaks.
// A cluster is at one *level*: what a later version brought is used once every member speaks it, and not
// before, so that each node can be started with the version before until then (docs/upgrades.md).
//
//   1  the first
//   2  a cluster has a level, and members say what they speak
#pragma once

#include <cstdint>

namespace shoal {

constexpr uint32_t kProtocolMin = 1;
constexpr uint32_t kProtocolMax = 2;

}  // namespace shoal
