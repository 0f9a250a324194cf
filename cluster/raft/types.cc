#include "cluster/raft/types.h"

#include <algorithm>

namespace shoal::raft {

const Server* Configuration::find(NodeId id) const {
  const auto at = std::lower_bound(servers.begin(), servers.end(), id,
                                   [](const Server& s, NodeId wanted) { return s.id < wanted; });
  return at != servers.end() && at->id == id ? &*at : nullptr;
}

size_t Configuration::voters() const {
  return static_cast<size_t>(std::count_if(servers.begin(), servers.end(),
                                           [](const Server& s) { return s.role == Role::kVoter; }));
}

std::span<const uint8_t> bytes_of(const Payload& payload) {
  return payload ? std::span<const uint8_t>(*payload) : std::span<const uint8_t>();
}

bool operator==(const Entry& a, const Entry& b) {
  return a.index == b.index && a.term == b.term && a.kind == b.kind &&
         std::ranges::equal(bytes_of(a.payload), bytes_of(b.payload));
}

}  // namespace shoal::raft
