#include "cluster/core/leadership.h"

#include <algorithm>

namespace shoal {
namespace {

using Node = LeadershipView::Node;

// `a` with one more leads less for its weight than `b` would with one more.
bool has_less(const Node& a, const Node& b) {
  return uint64_t{a.leads + 1} * b.weight < uint64_t{b.leads + 1} * a.weight;
}

Node* best_for(const LeadershipView::Led& led, std::vector<Node>& others) {
  Node* best = nullptr;
  for (Node& node : others) {
    if (std::find(led.able.begin(), led.able.end(), node.id) == led.able.end()) continue;
    if (best == nullptr || has_less(node, *best)) best = &node;
  }
  return best;
}

}  // namespace

std::vector<Handover> next_handovers(LeadershipView view) {
  std::vector<Handover> handovers;
  for (const LeadershipView::Led& led : view.led) {
    Node* const to = best_for(led, view.others);
    if (to == nullptr) continue;
    Node without = view.self;
    --without.leads;
    if (!view.gives_all && !has_less(*to, without)) continue;
    handovers.push_back({led.shard, to->id});
    if (!view.gives_all) break;
    ++to->leads;
  }
  return handovers;
}

}  // namespace shoal
