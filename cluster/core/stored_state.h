// What a hub keeps in the data directory. The runtime reads it at the start, raises `incarnation`
// durably before it makes the hub, and writes what HubEffects::Store asks for.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/store_plan.h"
#include "shoal/types.h"

namespace shoal {

struct ClusterId {
  uint64_t high = 0;
  uint64_t low = 0;
  explicit operator bool() const { return high != 0 || low != 0; }
  auto operator<=>(const ClusterId&) const = default;
};

// A node's clients of one time: a new life begins with each start (incarnation) and each time that
// the node closed all its connections and forgot all sessions (closes).
struct Life {
  uint64_t incarnation = 0;
  uint32_t closes = 0;
  auto operator<=>(const Life&) const = default;
};

// As one number, that the store counts by.
inline uint64_t store_life(const Life& life) {
  constexpr uint64_t kClosesBits = 20;
  constexpr uint64_t kClosesMax = (uint64_t{1} << kClosesBits) - 1;
  return life.incarnation << kClosesBits | std::min<uint64_t>(life.closes, kClosesMax);
}

struct StoredMember {
  NodeId id;
  std::string name;
  std::string address;  // where the others reach it
  Life life;            // the last seen; an incarnation below it is refused
  // This life and those before it were given up: messages may have been acknowledged that its
  // clients did not get. It does not come back into the cluster.
  Life given_up;
  bool left = false;    // by `leave` or `remove`: it does not count any more and never will again
  uint32_t speaks = 0;  // in `life`: the highest version of the protocol; 0: not known
  bool operator==(const StoredMember&) const = default;
};

struct StoredState {
  NodeId id;
  uint64_t incarnation = 0;
  ClusterId cluster;                  // empty: the node belongs to none yet
  std::vector<StoredMember> members;  // this node too, ascending by id; empty without a cluster
  StoreFounding store;                // empty without a cluster
  bool has_store = false;             // the node's part of it is on its disks
  uint32_t level = 1;                 // of the cluster (hub_levels.cc); 1 without one
  bool operator==(const StoredState&) const = default;
};

}  // namespace shoal
