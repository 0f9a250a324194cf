// What a hub asks of the network between nodes. cluster/rpc carries it over gRPC, the simulator and
// tests/cluster over a network in memory.
//
// A link is one connection to another node with three lanes, dialled by either side; frames go both
// ways. A lane delivers frames whole, unchanged and in order until the link is down, and then
// perhaps not all of them; between the lanes there is no order. The hub builds a reliable stream
// out of that (lane.h). Several links to one node may exist for a moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "shoal/types.h"

namespace shoal {

// A link in one process. Those that the hub dials are numbered by the hub, those that others
// dialled by whoever accepts them, from kAcceptedLink up. Never used twice.
using LinkId = uint64_t;
constexpr LinkId kAcceptedLink = uint64_t{1} << 63;

enum class Lane : uint8_t {
  kControl,  // never waits for the credit of the others
  kForward,  // batches of messages
  kBulk,     // messages with a large payload, in pieces
};
constexpr int kLaneCount = 3;

// The longest frame that a hub sends, and one longer closes the link: below gRPC's default limit of
// 4 MiB.
constexpr size_t kFrameBytesMax = 1024 * 1024;

// Immutable once it is sent: the hub keeps it until the peer acknowledged it.
using FrameRef = std::shared_ptr<const std::vector<uint8_t>>;

}  // namespace shoal
