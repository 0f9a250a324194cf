#include "cluster/core/placement.h"

#include <algorithm>

#include "cluster/core/node_list.h"
#include "shoal/mutation.h"
#include "shoal/random.h"

namespace shoal {
namespace {

using Kind = PlacementStep::Kind;

// Where the wanted voters are not known, each shard prefers the nodes in an order of its own.
uint64_t preference(uint32_t shard, NodeId node) {
  return Random(node.value ^ uint64_t{shard} << 32).next();
}

class NextStep {
 public:
  explicit NextStep(const PlacementView& view)
      : view_(view),
        servers_(*view.servers),
        voters_(servers_.voters()),
        // Fewer than three are wanted where nodes are missing.
        size_(std::max(view.wanted.size(), kVotersMin)) {}

  std::optional<PlacementStep> run() const {
    const std::vector<NodeId> learners = learners_of(servers_);
    if (voters_ == 1) return with_lone_voter(learners);
    if (voters_ < kVotersMin) return std::nullopt;
    if (!learners.empty()) return with_learner(learners.front());
    return voters_ % 2 == 0 ? with_even_voters() : with_odd_voters();
  }

 private:
  bool is_node(NodeId id) const { return contains(view_.nodes, id); }
  bool is_here(NodeId id) const { return contains(view_.here, id); }
  bool is_wanted(NodeId id) const { return contains(view_.wanted, id); }
  bool may_level() const {
    return view_.wanted.size() >= kVotersMin &&
           std::all_of(view_.nodes.begin(), view_.nodes.end(),
                       [this](NodeId id) { return is_here(id); });
  }

  bool is_surplus(NodeId id) const { return !is_node(id) || (may_level() && !is_wanted(id)); }
  bool is_able(NodeId id) const { return is_here(id) && view_.missing(id) <= kLacksMax; }

  std::optional<PlacementStep> with_learner(NodeId id) const {
    if (is_surplus(id)) return PlacementStep{Kind::kRemove, id};
    if (!is_able(id)) return std::nullopt;
    return PlacementStep{Kind::kPromote, id};
  }

  // Two others found the group anew with it, also where its own node is to have no replica: that one goes
  // as any other, later. They have promised nothing before, so one that is missed may be another.
  std::optional<PlacementStep> with_lone_voter(const std::vector<NodeId>& learners) const {
    if (!view_.may_found_anew || SHOAL_MUTATED("placement-lone-stays")) return std::nullopt;
    const std::vector<NodeId> free = this->free();
    for (const NodeId id : learners) {
      if (is_surplus(id) || (!is_here(id) && !free.empty())) {
        return PlacementStep{Kind::kRemove, id};
      }
    }
    const size_t count = learners.size() + 1;
    if (count < kVotersMin) {
      return free.size() >= kVotersMin - count ? add(learners.empty()) : std::nullopt;
    }
    const bool are_able =
        std::all_of(learners.begin(), learners.end(), [this](NodeId id) { return is_able(id); });
    if (!are_able) return std::nullopt;
    return PlacementStep{Kind::kFoundAnew, learners.front()};
  }

  // An even number bears no more than one less: one goes, unless more are wanted.
  std::optional<PlacementStep> with_even_voters() const {
    if (SHOAL_MUTATED("placement-even-stays")) return std::nullopt;
    if (voters_ < size_) {
      if (const auto step = add(false)) return step;
    }
    std::vector<NodeId> surplus;
    for (const raft::Server& each : servers_.servers) {
      if (each.role != raft::Role::kVoter) continue;
      if (is_surplus(each.id)) surplus.push_back(each.id);
    }
    // Whoever is gone counts for nothing; of the others one goes only when all that stay are here.
    for (const NodeId id : surplus) {
      if (!is_here(id)) return PlacementStep{Kind::kRemove, id};
    }
    for (const NodeId id : surplus) {
      if (id != view_.leader && are_others_here(id)) return PlacementStep{Kind::kRemove, id};
    }
    const bool goes_itself = contains(surplus, view_.leader) && are_others_here(view_.leader);
    return goes_itself ? hand_over() : std::nullopt;
  }

  // Two are added together, or one for another.
  std::optional<PlacementStep> with_odd_voters() const {
    const bool is_short = voters_ < size_;
    if (is_short && free().size() > 1) return add(true);
    bool is_surplus = false;
    for (const raft::Server& each : servers_.servers) {
      if (!is_node(each.id)) return add(false);
      is_surplus |= may_level() && !is_wanted(each.id);
    }
    return is_surplus && !is_short ? add(true) : std::nullopt;
  }

  bool are_others_here(NodeId removed) const {
    return std::all_of(
        servers_.servers.begin(), servers_.servers.end(),
        [&](const raft::Server& each) { return each.id == removed || is_here(each.id); });
  }

  // That have no replica and can get one; the wanted ones alone where every node is there.
  std::vector<NodeId> free() const {
    std::vector<NodeId> free;
    for (const NodeId id : view_.nodes) {
      if (!is_here(id) || servers_.find(id) != nullptr || (may_level() && !is_wanted(id))) continue;
      free.push_back(id);
    }
    return free;
  }

  std::optional<NodeId> best_of(const std::vector<NodeId>& some) const {
    std::optional<NodeId> best;
    const auto goes_before = [this](NodeId a, NodeId b) {
      if (is_wanted(a) != is_wanted(b)) return is_wanted(a);
      return preference(view_.shard, a) > preference(view_.shard, b);
    };
    for (const NodeId id : some) {
      if (!best || goes_before(id, *best)) best = id;
    }
    return best;
  }

  std::optional<PlacementStep> add(bool waits_for_turn) const {
    const std::optional<NodeId> best = best_of(free());
    if (!best) return std::nullopt;
    return PlacementStep{Kind::kAdd, *best, waits_for_turn};
  }

  // A leader does not remove itself: whoever leads next does.
  std::optional<PlacementStep> hand_over() const {
    std::vector<NodeId> able;
    for (const raft::Server& each : servers_.servers) {
      const bool stays = is_node(each.id) && (!may_level() || is_wanted(each.id));
      const bool is_other = each.role == raft::Role::kVoter && each.id != view_.leader;
      if (is_other && stays && view_.missing(each.id) <= kLacksMax) able.push_back(each.id);
    }
    const std::optional<NodeId> best = best_of(able);
    if (!best) return std::nullopt;
    return PlacementStep{Kind::kHandOver, *best};
  }

  const PlacementView& view_;
  const raft::Configuration& servers_;
  const size_t voters_;
  const size_t size_;
};

}  // namespace

std::optional<PlacementStep> next_step(const PlacementView& view) { return NextStep(view).run(); }

std::vector<NodeId> learners_of(const raft::Configuration& servers) {
  std::vector<NodeId> learners;
  for (const raft::Server& each : servers.servers) {
    if (each.role == raft::Role::kLearner) learners.push_back(each.id);
  }
  return learners;
}

bool is_moving(const raft::Configuration& servers) {
  const size_t voters = servers.voters();
  return voters != servers.servers.size() || (voters % 2 == 0 && voters > kVotersMin);
}

}  // namespace shoal
