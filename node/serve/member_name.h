// A node as people call it.
#pragma once

#include <string>

#include "cluster/core/hub_status.h"
#include "node/serve/hex.h"

namespace shoal {

inline std::string member_name(const HubStatus& status, NodeId id) {
  for (const MemberStatus& member : status.members) {
    if (member.id != id) continue;
    return member.state == MemberState::kLeft ? member.name + "(left)" : member.name;
  }
  return id ? hex(id.value) : "";
}

}  // namespace shoal
