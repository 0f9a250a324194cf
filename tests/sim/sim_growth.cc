// Nodes that come and go while faults strike.
#include <algorithm>

#include "tests/sim/sim_cluster.h"

namespace shoal::sim {
namespace {

// Until a node's replicas are elsewhere and its clients closed.
constexpr Duration kLeaving = Duration::seconds(60);

}  // namespace

// Where one node founded, or two, four are there in the end, so that any of them may leave.
int SimCluster::newcomers(int founders) { return founders < 3 ? 4 - founders : 2; }

// One comes after the other, while faults strike; the one that leaves may be one that had to come first.
void SimCluster::draw_growth() {
  const Duration half = Duration{options_.chaos.ns / 2};
  for (int i = 0; i < newcomers(options_.nodes); ++i) {
    SimNode* const node = nodes_[static_cast<size_t>(options_.nodes + i)].get();
    world_.after(world_.between(Duration::seconds(3), half), [node] {
      if (!node->is_up()) node->boot();
    });
  }
  const size_t able = options_.nodes < 3 ? nodes_.size() : static_cast<size_t>(options_.nodes);
  SimNode* const leaving = nodes_[world_.random().below(able)].get();
  world_.after(world_.between(half, options_.chaos), [leaving] { leaving->leave(); });
}

bool SimCluster::is_forgotten(const SimNode& leaving) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&leaving](const auto& node) {
    if (!node->is_ready() || node.get() == &leaving) return false;
    const std::vector<MemberStatus> members = node->hub().status(node->now()).members;
    return std::any_of(members.begin(), members.end(), [&leaving](const MemberStatus& member) {
      return member.id == leaving.id() && member.state == MemberState::kLeft;
    });
  });
}

// Whoever lost its data and came back elsewhere is one more member. The old one stays away until it is
// removed, as the log says: nothing that is well is moved before.
void SimCluster::remove_the_lost() {
  const auto is_lost = [this](const MemberStatus& member) {
    if (member.state == MemberState::kLeft) return false;
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [&member](const auto& node) { return node->id() == member.id; });
  };
  for (const auto& node : nodes_) {
    if (!node->is_ready()) continue;
    for (const MemberStatus& member : node->hub().status(node->now()).members) {
      if (is_lost(member)) node->remove(member.id);
    }
    return;
  }
}

// Who is to leave does so, as nothing is broken any more; also while one that lost its data is away.
void SimCluster::finish_leaving() {
  const Instant end = world_.now() + kLeaving;
  const auto is_leaving = [](const auto& node) { return node->is_leaving(); };
  while (std::any_of(nodes_.begin(), nodes_.end(), is_leaving) && world_.now() < end) {
    world_.run_until(world_.now() + Duration::millis(100));
    for (const auto& node : nodes_) {
      if (node->is_leaving() && is_forgotten(*node)) node->has_to_go();
    }
  }
  for (auto& node : nodes_) {
    if (node->is_leaving()) violation("n" + std::to_string(node->number()) + " cannot leave");
    if (node->has_left()) left_.push_back(std::move(node));
  }
  std::erase(nodes_, nullptr);
  if (wiped_) remove_the_lost();
}

}  // namespace shoal::sim
