#include "cluster/core/placing.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "cluster/core/node_list.h"
#include "shoal/mutation.h"
#include "shoal/protocol.h"

namespace shoal {
namespace {

constexpr Duration kStepInterval = Duration::millis(250);
constexpr Duration kLagInterval = Duration::seconds(1);
constexpr Duration kInReachFor = Duration::seconds(5);
constexpr int kServersToldMax = 64;

}  // namespace

Placing::Placing(Context& context, const Members& members, const Leases& leases,
                 const StoreFounding& founding, const std::unique_ptr<HubStore>& store,
                 Surroundings around)
    : context_(context),
      members_(members),
      leases_(leases),
      founding_(founding),
      store_(store),
      around_(std::move(around)) {}

// ---- nodes --------------------------------------------------------------------------------------

bool Placing::is_leaving(NodeId id) const {
  if (id == context_.self) return is_leaving_;
  const Pair* const pair = around_.pair_of(id);
  return pair != nullptr && pair->said.leaving();
}

bool Placing::is_met(NodeId id) const {
  const Pair* const pair = around_.pair_of(id);
  return id == context_.self || (pair != nullptr && pair->is_met());
}

void Placing::note_away() {
  for (const auto& [id, member] : members_.all()) {
    if (member.left || is_here(id)) {
      away_since_.erase(id);
    } else {
      away_since_.try_emplace(id, context_.now.mono);
    }
  }
}

// Only where enough others are there: a node that is away keeps its replicas' data.
bool Placing::is_replaced(NodeId id) const {
  const auto away = away_since_.find(id);
  if (away == away_since_.end() || is_here(id)) return false;
  if (context_.now.mono - away->second < context_.config.replace_after) return false;
  size_t members = 0;
  size_t here = 0;
  for (const auto& [other, member] : members_.all()) {
    if (member.left || is_leaving(other)) continue;
    ++members;
    here += is_here(other) ? 1 : 0;
  }
  return is_enough(here, members);
}

bool Placing::is_enough(size_t here, size_t members) const {
  return here >= std::max<size_t>(kVotersMin, replica_count(founding_.replicas, members));
}

std::vector<TargetNode> Placing::nodes() const {
  std::vector<TargetNode> nodes;
  for (const auto& [id, member] : members_.all()) {
    if (member.left || is_leaving(id) || is_replaced(id)) continue;
    TargetNode node{id, context_.config.weight, context_.config.zone};
    const Pair* const pair = around_.pair_of(id);
    if (pair != nullptr) node = {id, pair->hello.weight(), pair->hello.zone()};
    nodes.push_back(std::move(node));
  }
  return nodes;
}

std::vector<NodeId> Placing::here() const {
  std::vector<NodeId> here;
  for (const auto& [id, member] : members_.all()) {
    if (!member.left && is_here(id)) here.push_back(id);
  }
  return here;
}

// Each empty as long as the zone and the weight of a node are not known.
const Placing::Targets& Placing::wanted() {
  std::vector<TargetNode> nodes = this->nodes();
  const bool is_known = std::all_of(nodes.begin(), nodes.end(),
                                    [this](const TargetNode& node) { return is_met(node.id); });
  if (!is_known) nodes.clear();
  if (targets_.size() != founding_.shards || nodes != target_nodes_) {
    targets_ = targets(nodes, founding_.shards, founding_.replicas);
    target_nodes_ = std::move(nodes);
  }
  return targets_;
}

std::string Placing::why_not_level() const {
  for (const TargetNode& node : nodes()) {
    if (is_here(node.id)) continue;
    return absl::StrFormat("node %s is %s", members_.find(node.id)->name,
                           is_met(node.id) ? "away" : "not known yet");
  }
  return "";
}

// ---- what leaders tell --------------------------------------------------------------------------

bool Placing::on_told(NodeId from, const proto::ShardPlacement& message) {
  if (message.voters_size() + message.learners_size() > kServersToldMax) return false;
  Told told{.leader = from,
            .term = message.term(),
            .index = message.index(),
            .servers = {},
            .lag = message.lag()};
  for (const uint64_t id : message.voters()) {
    told.servers.servers.push_back({NodeId{id}, raft::Role::kVoter});
  }
  for (const uint64_t id : message.learners()) {
    told.servers.servers.push_back({NodeId{id}, raft::Role::kLearner});
  }
  std::sort(told.servers.servers.begin(), told.servers.servers.end());
  if (!is_open() || message.shard() >= founding_.shards) return true;
  told_.resize(founding_.shards);
  Told& known = told_[message.shard()];
  if (std::pair(told.term, told.index) >= std::pair(known.term, known.index)) {
    known = std::move(told);
  }
  return true;
}

// What is committed: an entry that is not may be replaced by the next leader's.
void Placing::note_led() {
  told_.resize(founding_.shards);
  const bool is_lag_due = context_.now.mono - last_lag_ >= kLagInterval;
  if (is_lag_due) last_lag_ = context_.now.mono;
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    if (!leads(shard)) continue;
    const auto* const change = group(shard).change_at(group(shard).applied());
    const uint64_t term = store().lead_term(shard);
    Told& told = told_[shard];
    if (change == nullptr || term < told.term) continue;  // another leads, as this node will hear
    const bool is_new =
        told.leader != context_.self || told.term != term || told.index != change->index;
    if (is_new) told = {context_.self, term, change->index, change->configuration};
    const std::vector<NodeId> learners = learners_of(told.servers);
    told.lag = 0;
    for (const NodeId id : learners) told.lag = std::max(told.lag, group(shard).lag(id));
    if (!is_new && (!is_lag_due || learners.empty())) continue;
    for (Pair* const pair : around_.open_pairs()) tell(*pair, shard);
  }
}

void Placing::tell(Pair& pair, uint32_t shard) const {
  const Told& told = told_[shard];
  proto::ShardPlacement message;
  message.set_shard(shard);
  message.set_term(told.term);
  message.set_index(told.index);
  for (const raft::Server& each : told.servers.servers) {
    if (each.role == raft::Role::kVoter) {
      message.add_voters(each.id.value);
    } else {
      message.add_learners(each.id.value);
    }
  }
  message.set_lag(told.lag);
  pair.send(FrameKind::kShardPlacement, message);
}

void Placing::on_session(Pair& pair) {
  for (uint32_t shard = 0; shard < told_.size(); ++shard) {
    if (told_[shard].leader == context_.self && leads(shard)) tell(pair, shard);
  }
}

// Null: the shard has no leader now, or it has not told.
const Placing::Told* Placing::told(uint32_t shard) const {
  if (shard >= told_.size()) return nullptr;
  const replica::StoreClient::Leader leader = store().client().leader(shard);
  const Told& told = told_[shard];
  return leader.node && told.leader == leader.node && told.term == leader.term ? &told : nullptr;
}

// ---- steps --------------------------------------------------------------------------------------

void Placing::on_tick() {
  if (!is_open()) return;
  note_led();
  if (context_.now.mono - last_step_ < kStepInterval) return;
  last_step_ = context_.now.mono;
  note_away();
  note_leaving();
  if (leases_.ack_until() <= context_.now.mono) {
    steady_since_ = context_.now.mono;
    return;
  }
  forget();
  const Views views = this->views(here());
  repair(views);
  level(views);
}

Placing::Views Placing::views(std::vector<NodeId> here) {
  std::vector<NodeId> ids;
  for (const TargetNode& node : nodes()) ids.push_back(node.id);
  return {.wanted = wanted(), .nodes = std::move(ids), .here = std::move(here)};
}

PlacementView Placing::view_of(uint32_t shard, const raft::Configuration& servers,
                               const Views& views) const {
  PlacementView view{.shard = shard,
                     .leader = context_.self,
                     .servers = &servers,
                     .nodes = views.nodes,
                     .here = views.here,
                     .wanted = views.wanted[shard],
                     .may_found_anew = may_found_anew(),
                     .missing = [](NodeId) { return uint64_t{0}; }};
  if (leads(shard)) view.missing = [&group = group(shard)](NodeId id) { return group.lag(id); };
  return view;
}

bool Placing::may_found_anew() const {
  return context_.level >= kFoundAnewLevel && founding_.replicas >= kVotersMin;
}

// A change of its configuration has begun.
bool Placing::is_busy(uint32_t shard) const {
  const raft::RaftGroup& group = this->group(shard);
  return group.is_change_pending() || group.promotee() || group.is_transferring();
}

// Of a learner that is here.
bool Placing::is_copy_under_way(uint32_t shard) const {
  const std::vector<NodeId> learners = learners_of(*group(shard).configuration());
  return std::any_of(learners.begin(), learners.end(), [this, shard](NodeId id) {
    return is_here(id) && group(shard).lag(id) > kLacksMax;
  });
}

// What was begun goes on, of all shards that this node leads; of those that lack a replica one begins.
void Placing::repair(const Views& views) {
  bool is_copying = false;
  std::optional<std::pair<uint32_t, PlacementStep>> first;
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    if (!leads(shard)) continue;
    const raft::Configuration& servers = *group(shard).configuration();
    is_copying |= is_busy(shard) || is_copy_under_way(shard);
    if (is_busy(shard)) continue;
    const std::optional<PlacementStep> step = next_step(view_of(shard, servers, views));
    if (!step || step->waits_for_turn) continue;
    if (step->kind != PlacementStep::Kind::kAdd) {
      take(shard, *step);
    } else if (!first) {
      first = {shard, *step};
    }
  }
  if (first && !is_copying) take(first->first, first->second);
}

// As far as is known.
bool Placing::is_any_moving() const {
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    const Told* const told = this->told(shard);
    if (leads(shard) ? is_busy(shard) || is_moving(*group(shard).configuration())
                     : told != nullptr && is_moving(told->servers)) {
      return true;
    }
  }
  return false;
}

void Placing::level(const Views& views) {
  if (is_any_moving()) return;
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    const Told* const told = this->told(shard);
    if (told == nullptr) continue;
    const std::optional<PlacementStep> step = next_step(view_of(shard, told->servers, views));
    if (!step || !step->waits_for_turn) continue;
    if (leads(shard)) take(shard, *step);
    return;  // it is its turn
  }
}

// What is left here of replicas that are elsewhere now. A leader that this node was out of reach of may have
// made it a learner since, and counts what it got: whoever is in reach for so long would have heard of it.
void Placing::forget() {
  if (context_.now.mono - steady_since_ < kInReachFor) return;
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    const Told* const told = this->told(shard);
    const raft::RaftGroup* const group = store().groups().find(shard);
    if (told == nullptr || group == nullptr || group->configuration() == nullptr) continue;
    if (!leases_.is_in_sync(told->leader)) continue;
    const bool is_older = group->role().term <= told->term;
    const bool has_none = told->servers.find(context_.self) == nullptr;
    if (is_older && (has_none || SHOAL_MUTATED("placement-forgets-voter"))) store_->forget(shard);
  }
}

bool Placing::take(uint32_t shard, const PlacementStep& step) {
  using Kind = PlacementStep::Kind;
  using How = raft::ChangeMember::How;
  if (step.kind == Kind::kHandOver) return store_->transfer(shard, step.server);
  const How how = step.kind == Kind::kAdd         ? How::kAddLearner
                  : step.kind == Kind::kPromote   ? How::kPromote
                  : step.kind == Kind::kFoundAnew ? How::kFoundAnew
                                                  : How::kRemove;
  if (!store_->change(shard, {how, step.server})) return false;
  if (step.kind == Kind::kFoundAnew) {
    context_.log(HubEffects::Log::Level::kInfo,
                 absl::StrFormat("shard %d is founded anew, with %d replicas", shard,
                                 group(shard).configuration()->voters()));
    return true;
  }
  const StoredMember* const member = members_.find(step.server);
  const char* const what = step.kind == Kind::kAdd       ? "gets a copy of"
                           : step.kind == Kind::kPromote ? "becomes a replica of"
                                                         : "is no replica any more of";
  context_.log(HubEffects::Log::Level::kInfo,
               absl::StrFormat("node %s %s shard %d",
                               member == nullptr ? "that left" : member->name, what, shard));
  return true;
}

// ---- status -------------------------------------------------------------------------------------

std::vector<PlacementStatus> Placing::status() {
  std::vector<PlacementStatus> all;
  if (!is_open()) return all;
  const Targets& wanted = this->wanted();
  for (uint32_t shard = 0; shard < founding_.shards; ++shard) {
    PlacementStatus status{.shard = shard};
    const Told* const told = this->told(shard);
    if (told != nullptr) {
      status.leader = told->leader;
      status.lag = told->lag;
      for (const raft::Server& each : told->servers.servers) {
        (each.role == raft::Role::kVoter ? status.voters : status.learners).push_back(each.id);
      }
      // A smaller group stays as it is, until there are nodes for three.
      const bool stays = status.voters.size() < kVotersMin && wanted[shard].size() < kVotersMin;
      status.wanted = stays ? status.voters : wanted[shard];
    }
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace shoal
