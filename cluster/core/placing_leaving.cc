// What keeps a node that is to leave: replicas, as long as others can take them, and majorities that would be
// lost without it. Who leaves at the same time counts as gone already: neither relies on the other.
#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "cluster/core/node_list.h"
#include "cluster/core/placing.h"

namespace shoal {

Placing::Departures Placing::leave() {
  is_leaving_ = is_open();
  leaving_waits_.clear();
  return departures();
}

// In touch now: one that is in sync may be missed already, and stays so where nobody can be given up.
std::vector<NodeId> Placing::reached() const {
  std::vector<NodeId> reached = here();
  std::erase_if(reached, [this](NodeId id) {
    if (id == context_.self) return false;
    const Pair* const pair = around_.pair_of(id);
    return pair == nullptr || pair->link() == 0 || leases_.is_silent(id);
  });
  return reached;
}

bool Placing::are_others_majority() const {
  int leaving = 0;
  for (const auto& [id, member] : members_.all()) {
    leaving += !member.left && (id == context_.self || is_leaving(id)) ? 1 : 0;
  }
  const std::vector<NodeId> reached = this->reached();
  const auto staying = std::count_if(reached.begin(), reached.end(), [this](NodeId id) {
    return id != context_.self && !is_leaving(id);
  });
  return staying >= members_.majority(context_.config.expect, leaving);
}

// While nobody leads, the later of what a leader told last and what is applied here: whoever is removed
// may never get the entry that says so. Null: nothing is known.
const raft::Configuration* Placing::servers_of(uint32_t shard) const {
  if (const Told* const told = this->told(shard)) return &told->servers;
  const Told* const last = shard < told_.size() && told_[shard].leader ? &told_[shard] : nullptr;
  const raft::RaftGroup* const group = store().groups().find(shard);
  const auto* const own = group == nullptr ? nullptr : group->change_at(group->applied());
  const bool is_own_later = own != nullptr && (last == nullptr || own->index > last->index);
  if (is_own_later) return &own->configuration;
  return last == nullptr ? nullptr : &last->servers;
}

void Placing::each_replica_here(const Replica& replica) {
  if (!is_open()) return;
  Views views = this->views(reached());
  std::erase(views.nodes, context_.self);
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    const raft::Configuration* const servers = servers_of(shard);
    if (servers == nullptr || servers->find(context_.self) == nullptr) continue;
    replica(*servers, view_of(shard, *servers, views));
  }
}

Placing::Departures Placing::departures() {
  Departures departures;
  uint32_t alone = 0;
  each_replica_here([&](const raft::Configuration& servers, const PlacementView& view) {
    const Departure departure = departure_of(context_.self, view);
    departures.moving += departure == Departure::kMoves ? 1 : 0;
    departures.open += departure == Departure::kOpen ? 1 : 0;
    departures.held += departure == Departure::kHeld ? 1 : 0;
    alone += departure == Departure::kHeld && servers.voters() == 1 ? 1 : 0;
  });
  departures.waits = why_not_without(departures.held, alone);
  return departures;
}

std::string Placing::why_not_at_once() {
  uint32_t shards = 0;
  uint32_t alone = 0;
  each_replica_here([&](const raft::Configuration& servers, const PlacementView& view) {
    if (leaves_majority(context_.self, view)) return;
    ++shards;
    alone += servers.voters() == 1 ? 1 : 0;
  });
  return why_not_without(shards, alone);
}

// The last member takes the cluster with it.
std::string Placing::why_not_without(uint32_t shards, uint32_t alone) const {
  if (members_.count() == 1) return "";
  if (alone != 0) {
    return absl::StrFormat(
        "%d shards have their only replica on this node: it may leave when two others are there "
        "and have them",
        alone);
  }
  if (!are_others_majority()) {
    return "without this node the others would be no majority" + missed();
  }
  if (shards == 0) return "";
  return absl::StrFormat("without this node %d shards would have no majority of their replicas",
                         shards) +
         missed();
}

std::string Placing::missed() const {
  const std::vector<NodeId> reached = this->reached();
  std::string missed;
  std::string commands;
  for (const auto& [id, member] : members_.all()) {
    if (member.left || id == context_.self) continue;
    if (!contains(reached, id)) {
      missed += (missed.empty() ? ", as node " : ", node ") + member.name + " is away";
      commands += (commands.empty() ? "`" : ", `") + ("shoal ctl remove " + member.name) + "`";
    } else if (is_leaving(id)) {
      missed += (missed.empty() ? ", as node " : ", node ") + member.name + " leaves too";
    }
  }
  missed += ": it may leave when ";
  if (commands.empty()) return missed + "another node is there";
  return missed + "that or another node is there; who is gone for good is taken out by " + commands;
}

// Once for each reason.
void Placing::note_leaving() {
  if (!is_leaving_ || !members_.is_member(context_.self)) return;
  std::string waits = departures().waits;
  if (waits == leaving_waits_) return;
  leaving_waits_ = std::move(waits);
  if (leaving_waits_.empty()) return;
  context_.log(HubEffects::Log::Level::kWarn, "this node waits to leave: " + leaving_waits_);
}

}  // namespace shoal
