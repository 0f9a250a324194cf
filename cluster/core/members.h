// The table of all nodes that ever were members. Every node holds it, gossips it whole and merges
// what it hears: for each field the later wins (left stays, lives grow, a name and an address go
// with the newest life, and of what it speaks the highest that is heard of that life), so that the order
// of hearing does not matter.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/stored_state.h"

namespace shoal::proto {
class Members;
}

namespace shoal {

class Members {
 public:
  explicit Members(const std::vector<StoredMember>& stored);

  const std::map<NodeId, StoredMember>& all() const { return members_; }
  const StoredMember* find(NodeId id) const;
  // A member that counts: known and not left.
  bool is_member(NodeId id) const;
  int count() const;
  // More than half of the members, at least of `expect` less those that left; as if so many more had.
  int majority(int expect, int leaving = 0) const;
  // The highest version of the protocol that every member speaks; one of which that is not known speaks
  // the first.
  uint32_t all_speak() const;

  // True when something changed, which is then to be stored and told to the others.
  bool merge(const StoredMember& heard);
  bool give_up(NodeId id);  // its present life
  bool leave(NodeId id);

  std::vector<StoredMember> to_stored() const;
  // For peers of a node that speaks so much: nothing of a later version is in it.
  void to_message(proto::Members& out, uint32_t protocol_max) const;
  bool merge(const proto::Members& heard);

 private:
  std::map<NodeId, StoredMember> members_;
};

}  // namespace shoal
