// The table of all nodes that ever were members. Every node holds it, gossips it whole and merges
// what it hears: for each field the later wins (left stays, lives grow, a name and an address go
// with the newest life), so that the order of hearing does not matter.
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
  // More than half of the members, at least of `expect` less those that left.
  int majority(int expect) const;

  // True when something changed, which is then to be stored and told to the others.
  bool merge(const StoredMember& heard);
  bool give_up(NodeId id);  // its present life
  bool leave(NodeId id);

  std::vector<StoredMember> to_stored() const;
  void to_message(proto::Members& out) const;
  bool merge(const proto::Members& heard);

 private:
  std::map<NodeId, StoredMember> members_;
};

}  // namespace shoal
