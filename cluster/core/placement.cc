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

class Situation {
 public:
  explicit Situation(const PlacementView& view)
      : view_(view),
        servers_(*view.servers),
        voters_(servers_.voters()),
        // Fewer than three are wanted where nodes are missing.
        size_(std::max(view.wanted.size(), kVotersMin)) {}

  std::optional<PlacementStep> next_step() const {
    const std::vector<NodeId> learners = learners_of(servers_);
    if (voters_ == 1) return with_lone_voter(learners);
    if (voters_ < kVotersMin) return std::nullopt;
    if (!learners.empty()) return with_learner(learners.front());
    return voters_ % 2 == 0 ? with_even_voters() : with_odd_voters();
  }

  Departure departure_of(NodeId node) const {
    const raft::Server* const own = servers_.find(node);
    if (own == nullptr) return Departure::kNone;
    if (own->role == raft::Role::kLearner) return Departure::kMoves;
    if (voters_ == 1) return may_grow_without(node) ? Departure::kMoves : Departure::kHeld;
    if (is_replaceable(node)) return Departure::kMoves;
    return leaves_majority(node) ? Departure::kOpen : Departure::kHeld;
  }

  bool leaves_majority(NodeId node) const {
    const raft::Server* const own = servers_.find(node);
    if (own == nullptr || own->role == raft::Role::kLearner) return true;
    const size_t staying =
        voters_that([&](NodeId id) { return id != node && is_here(id) && is_node(id); });
    return staying * 2 > voters_;
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
  bool is_able(NodeId id) const {
    return is_here(id) && (id == view_.leader || view_.missing(id) <= kLacksMax);
  }

  template <typename Is>
  size_t voters_that(Is is) const {
    return static_cast<size_t>(std::count_if(
        servers_.servers.begin(), servers_.servers.end(),
        [&](const raft::Server& each) { return each.role == raft::Role::kVoter && is(each.id); }));
  }

  bool may_grow_without(NodeId node) const {
    const auto others = std::count_if(view_.nodes.begin(), view_.nodes.end(),
                                      [&](NodeId id) { return id != node && is_here(id); });
    return view_.may_found_anew && static_cast<size_t>(others) + 1 >= kVotersMin;
  }

  // As the steps below would have it; each needs a majority of the voters that there are then.
  bool is_replaceable(NodeId node) const {
    const size_t here = voters_that([&](NodeId id) { return id != node && is_here(id); });
    if (voters_ < kVotersMin || (here + 1) * 2 <= voters_) return false;
    if (voters_ % 2 == 0) return here * 2 > voters_ - 1;
    const std::vector<NodeId> learners = learners_of(servers_);
    const bool is_joining = std::any_of(learners.begin(), learners.end(), [this](NodeId id) {
      return is_here(id) && !is_surplus(id);
    });
    return is_joining || !free().empty();
  }

  // Whoever is gone, or leaves, does not wait for one that is away where another can take its place.
  bool is_passed_over(NodeId learner) const {
    const bool is_any_gone = voters_that([this](NodeId id) { return !is_node(id); }) != 0;
    return !is_here(learner) && is_any_gone && !free().empty();
  }

  std::optional<PlacementStep> with_learner(NodeId id) const {
    if (is_surplus(id) || is_passed_over(id)) return PlacementStep{Kind::kRemove, id};
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
    // Whoever is gone counts for nothing; of the others one goes only when those that stay can go on.
    for (const NodeId id : surplus) {
      if (!is_here(id)) return PlacementStep{Kind::kRemove, id};
    }
    for (const NodeId id : surplus) {
      if (id != view_.leader && goes_on_without(id)) return PlacementStep{Kind::kRemove, id};
    }
    const bool goes_itself = contains(surplus, view_.leader) && goes_on_without(view_.leader);
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

  // Those of the others that can acknowledge at once are a majority of them: one that is away, and keeps
  // its place, is missed no more than before.
  bool goes_on_without(NodeId removed) const {
    const size_t able = voters_that([&](NodeId id) { return id != removed && is_able(id); });
    return able * 2 > voters_ - 1;
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
      if (is_other && stays && is_able(each.id)) able.push_back(each.id);
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

std::optional<PlacementStep> next_step(const PlacementView& view) {
  return Situation(view).next_step();
}

Departure departure_of(NodeId node, const PlacementView& view) {
  return Situation(view).departure_of(node);
}

bool leaves_majority(NodeId node, const PlacementView& view) {
  return Situation(view).leaves_majority(node);
}

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
