// What clients and operators of a simulated cluster do.
#include <algorithm>
#include <utility>

#include "tests/raft/sim_cluster.h"

namespace shoal::raft::sim {
namespace {

using How = ChangeMember::How;

// Nothing is changed so late that it could not be finished before the end.
constexpr Duration kLastChange = Duration::seconds(8);

Payload command(uint64_t number, Random& random) {
  std::vector<uint8_t> bytes(16 + random.below(80), 'x');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(number >> (8 * i));
  return std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
}

}  // namespace

void SimCluster::load() {
  for (int shard = 0; shard < options_.groups; ++shard) {
    // Every one that takes itself for the leader, as a client that asks around would find.
    for (const auto& node : nodes_) {
      if (!node->is_up || world_.now() < node->frozen_until) continue;
      SimServer& server = *node->servers[static_cast<size_t>(shard)];
      if (!server.is_serving()) continue;
      administer(shard, server);
      if (world_.random().below(10) < 6) submit(server);
    }
  }
  const auto pause = static_cast<int64_t>(2 + world_.random().below(15));
  world_.after(Duration::millis(pause), [this] { load(); });
}

void SimCluster::submit(SimServer& leader) {
  std::vector<Payload> commands(1 + world_.random().below(4));
  for (Payload& one : commands) one = command(++commands_, world_.random());
  leader.submit(std::move(commands));
}

void SimCluster::administer(int shard, SimServer& leader) {
  if (world_.now() >= chaos_end_ + options_.calm - kLastChange) return;
  if (options_.transfers) maybe_transfer(leader);
  Instant& next = next_change_[static_cast<size_t>(shard)];
  if (!options_.membership || world_.now() < next) return;
  next = world_.now() + Duration::millis(static_cast<int64_t>(100 + world_.random().below(1500)));
  change(shard, leader);
}

void SimCluster::maybe_transfer(SimServer& leader) {
  if (!world_.random().one_in(250)) return;
  NodeId to;  // whoever suits best
  if (world_.random().one_in(2)) {
    const std::vector<Server>& servers = leader.group().configuration()->servers;
    to = servers[world_.random().below(servers.size())].id;
  }
  if (leader.step(Transfer{to}) == Outcome::kDone) ++result_.transfers;
}

std::vector<NodeId> SimCluster::outsiders(const Configuration& configuration) const {
  std::vector<NodeId> found;
  for (const auto& node : nodes_) {
    if (configuration.find(node->id) == nullptr) found.push_back(node->id);
  }
  return found;
}

// A lone voter gets two learners and founds the group anew with them; now and then one goes again. What can
// go wrong then goes wrong when it fails at that moment.
void SimCluster::grow(SimServer& leader) {
  Random& random = world_.random();
  const Configuration configuration = *leader.group().configuration();
  const std::vector<NodeId> free = outsiders(configuration);
  std::vector<NodeId> learners;
  for (const Server& each : configuration.servers) {
    if (each.role == Role::kLearner) learners.push_back(each.id);
  }
  ChangeMember event{How::kAddLearner, free[random.below(free.size())]};
  if (!learners.empty() && random.one_in(8)) {
    event = {How::kRemove, learners[random.below(learners.size())]};
  } else if (learners.size() == 2) {
    event = {How::kFoundAnew, learners[0]};
  }
  if (leader.step(event) != Outcome::kDone) return;
  ++result_.changes;
  if (event.how != How::kFoundAnew || !options_.faults || is_calm() || random.one_in(3)) return;
  world_.after(Duration::millis(static_cast<int64_t>(random.below(40))),
               [this, &node = at(leader.group().self())] { crash_for_a_while(node); });
}

// Towards the wanted number of voters, and then towards another one.
void SimCluster::change(int shard, SimServer& leader) {
  Random& random = world_.random();
  const Configuration configuration = *leader.group().configuration();
  if (configuration.voters() == 1) return grow(leader);
  const std::vector<Server>& servers = configuration.servers;
  size_t& wanted = wanted_voters_[static_cast<size_t>(shard)];
  const auto learner = std::find_if(servers.begin(), servers.end(),
                                    [](const Server& s) { return s.role == Role::kLearner; });
  ChangeMember event;
  if (learner != servers.end()) {
    event = {random.one_in(10) ? How::kRemove : How::kPromote, learner->id};
  } else if (configuration.voters() < wanted) {
    const std::vector<NodeId> free = outsiders(configuration);
    event = {How::kAddLearner, free[random.below(free.size())]};
  } else if (configuration.voters() > wanted) {
    event = {How::kRemove, servers[random.below(servers.size())].id};
  } else {
    wanted = 3 + random.below(nodes_.size() - 2);
    return;
  }
  if (leader.step(event) == Outcome::kDone) ++result_.changes;
}

}  // namespace shoal::raft::sim
