// The versions of the protocol between nodes, and of what they keep on disk, that this program speaks.
// A cluster is at one *level*: what a later version brought is used once every member speaks it, and not
// before, so that each node can be started with the version before until then (docs/upgrades.md).
//
//   1  the first
//   2  a cluster has a level, and members say what they speak; groups of one are founded anew with
//      more; backups, and clusters restored from them
#pragma once

#include <cstdint>

namespace shoal {

constexpr uint32_t kProtocolMin = 1;
constexpr uint32_t kProtocolMax = 2;

// The level from which on something is used.
constexpr uint32_t kMembersSpeakLevel = 2;
constexpr uint32_t kFoundAnewLevel = 2;
constexpr uint32_t kBackupLevel = 2;

}  // namespace shoal
