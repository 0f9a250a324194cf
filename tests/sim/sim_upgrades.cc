// Nodes of two versions, upgraded one after the other while faults strike.
#include <algorithm>

#include "tests/sim/sim_cluster.h"

namespace shoal::sim {

// The program of a node is replaced at some time, and then it is ended one way or the other; at times it
// has crashed meanwhile and comes back with the new one by itself.
void SimCluster::draw_upgrades() {
  for (const auto& each : nodes_) {
    if (each->speaks() == kProtocolMax) continue;
    SimNode* const node = each.get();
    world_.after(world_.between(Duration::seconds(2), options_.chaos), [this, node] {
      world_.note("n" + std::to_string(node->number()) + " is to be upgraded");
      node->upgrade();
      if (!node->is_up()) return;
      if (world_.random().one_in(2)) return terminate(*node);
      node->crash();
      boot_when_down(*node);
    });
  }
}

void SimCluster::finish_upgrades() {
  for (const auto& node : nodes_) {
    if (node->speaks() == kProtocolMax || node->has_left()) continue;
    node->upgrade();
    if (node->is_up()) node->crash();
    node->boot();
  }
}

// Nothing is used that a member does not know, whether it is there or away.
void SimCluster::check_protocol_level(SimNode& node) {
  const HubStatus status = node.hub().status(node.now());
  for (const MemberStatus& member : status.members) {
    if (member.state == MemberState::kLeft) continue;
    for (const auto& other : nodes_) {
      if (other->id() != member.id || other->speaks() >= status.level) continue;
      violation("n" + std::to_string(node.number()) + " is at protocol " +
                std::to_string(status.level) + " while " + member.name + " speaks " +
                std::to_string(other->speaks()));
    }
  }
}

void SimCluster::check_upgraded() {
  if (has_lost_member()) return;
  for (const auto& node : nodes_) {
    const uint32_t level = node->hub().status(node->now()).level;
    if (level == kProtocolMax) continue;
    violation("n" + std::to_string(node->number()) + " is at protocol " + std::to_string(level) +
              " in the end");
  }
}

}  // namespace shoal::sim
