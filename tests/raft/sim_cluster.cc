#include "tests/raft/sim_cluster.h"

#include <algorithm>
#include <utility>

#include "cluster/raft/wire.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal::raft::sim {
namespace {

constexpr GroupId group_of(int shard) { return {static_cast<uint32_t>(shard), 1}; }

}  // namespace

bool set_mix(std::string_view name, int voters, SimOptions& options) {
  const bool grows = name == "grows";
  options.voters = options.nodes = voters;
  if (name == "mix" || name == "hard" || grows) {
    options.membership = voters >= 3 || grows;
    options.transfers = options.snapshots = true;
    if (options.membership) options.nodes = std::max(5, voters);
  }
  if (grows) options.voters = 1;
  if (name == "hard" || grows) {
    options.fast_crashes = true;
    options.disk_max = Duration::millis(20);
  }
  if (name == "slow") options.disk_max = Duration::millis(60);
  return name == "plain" || name == "mix" || name == "hard" || name == "slow" || grows;
}

SimResult run_simulation(const SimOptions& options) { return SimCluster(options).run(); }

SimCluster::SimCluster(const SimOptions& options)
    : options_(options),
      world_(options.seed),
      chaos_end_(Instant{} + options.chaos),
      wanted_voters_(static_cast<size_t>(options.groups),
                     static_cast<size_t>(std::max(3, options.voters))),
      next_change_(static_cast<size_t>(options.groups)) {
  for (int i = 0; i < options.nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->id = {static_cast<uint64_t>(i + 1)};
  }
}

SimResult SimCluster::run() {
  found();
  for (const auto& node : nodes_) revive(*node);
  world_.after(Duration::millis(1), [this] { load(); });
  if (options_.faults) world_.after(Duration::millis(700), [this] { fault(); });
  world_.at(chaos_end_, [this] { heal(); });
  world_.run_until(chaos_end_ + options_.calm);
  check_end();
  result_.violations = oracle_.violations();
  result_.events = world_.events();
  result_.acknowledged = oracle_.acknowledged();
  return result_;
}

void SimCluster::found() {
  Configuration configuration;
  for (int i = 0; i < options_.voters; ++i) {
    configuration.servers.push_back({{static_cast<uint64_t>(i + 1)}, Role::kVoter});
  }
  const Recovered founded = RaftGroup::founded(configuration);
  for (int i = 0; i < options_.voters; ++i) {
    for (int shard = 0; shard < options_.groups; ++shard) {
      DurableGroup& group = nodes_[static_cast<size_t>(i)]->disk.group(group_of(shard));
      group.hard_state = founded.hard_state;
      group.log.assign(founded.log.begin(), founded.log.end());
    }
  }
}

void SimCluster::revive(Node& node) {
  if (node.is_up) return;
  node.is_up = true;
  ++node.life;
  node.frozen_until = {};
  for (int shard = 0; shard < options_.groups; ++shard) {
    node.servers.push_back(
        std::make_unique<SimServer>(group_of(shard), node.id, *this, options_.snapshots));
    node.servers.back()->start();
  }
}

void SimCluster::crash(Node& node) {
  node.is_up = false;
  ++node.life;
  node.servers.clear();
  node.disk.crash(world_.random());
  ++result_.faults;
}

SimServer* SimCluster::leader_of(int shard) {
  SimServer* leader = nullptr;
  for (const auto& node : nodes_) {
    if (!node->is_up) continue;
    SimServer& server = *node->servers[static_cast<size_t>(shard)];
    const Effects::RoleChange role = server.group().role();
    if (role.role != Effects::RoleChange::Role::kLeader) continue;
    if (leader == nullptr || leader->group().role().term < role.term) leader = &server;
  }
  return leader;
}

void SimCluster::note(uint64_t what) {
  result_.hash = (result_.hash ^ what ^ static_cast<uint64_t>(world_.now().ns)) * 1099511628211u;
}

// -- time -------------------------------------------------------------------------------------------

void SimCluster::later(NodeId node, Duration delay, std::function<void()> what) {
  world_.after(delay, [this, node, life = at(node).life, what = std::move(what)] {
    on_node(node, life, what);
  });
}

void SimCluster::on_node(NodeId id, uint64_t life, std::function<void()> what) {
  Node& node = at(id);
  if (!node.is_up || node.life != life) return;
  if (world_.now() < node.frozen_until) {
    world_.at(node.frozen_until,
              [this, id, life, what = std::move(what)] { on_node(id, life, what); });
    return;
  }
  what();
}

// -- disks ------------------------------------------------------------------------------------------

void SimCluster::disk_has_work(NodeId id) {
  SimDisk& disk = at(id).disk;
  disk.begin_batch();
  Random& random = world_.random();
  Duration sync = micros(50 + random.below(static_cast<uint64_t>(options_.disk_max.ns / 1000)));
  if (!quiet_ && random.one_in(100)) sync = sync + micros(random.below(300'000));
  later(id, sync, [this, id] {
    Node& node = at(id);
    const std::map<GroupId, uint64_t> done = node.disk.finish_batch();
    for (const auto& [group, number] : done) node.servers[group.shard]->step(Persisted{number});
    if (node.disk.is_idle() && node.disk.has_waiting()) disk_has_work(id);
  });
}

// -- network ----------------------------------------------------------------------------------------

void SimCluster::send(const Message& message) {
  Random& random = world_.random();
  if (is_cut(message.from, message.to) || (!quiet_ && random.one_in(100))) return;
  auto bytes = std::make_shared<std::vector<uint8_t>>();
  encode(message, *bytes);
  const int copies = !quiet_ && random.one_in(100) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay = micros(200 + random.below(800));
    if (!quiet_ && random.one_in(50)) delay = delay + micros(random.below(400'000));
    world_.after(delay, [this, from = message.from, to = message.to, bytes] {
      if (is_cut(from, to)) return;
      on_node(to, at(to).life, [this, bytes] { arrive(*bytes); });
    });
  }
}

void SimCluster::arrive(const std::vector<uint8_t>& bytes) {
  std::optional<Message> message = decode(bytes);
  if (!message) return oracle_.violate("a message of ours is not understood");
  Node& node = at(message->to);
  if (const auto* install = std::get_if<InstallSnapshot>(&message->body)) {
    if (node.disk.staged(message->group).count(install->meta.index) == 0) return;
  }
  note(bytes.size() ^ message->to.value << 32);
  const uint32_t shard = message->group.shard;
  const Outcome outcome = node.servers[shard]->step(Received{*std::move(message)});
  if (outcome != Outcome::kDone) oracle_.violate("a message of ours is refused");
}

// Streamed for up to a second, then installed by a message that may be lost like any other.
void SimCluster::send_snapshot(NodeId from, const Effects::SendSnapshot& snapshot,
                               const State& state) {
  const Duration time =
      micros(world_.random().below(world_.random().one_in(5) ? 1'000'000 : 80'000));
  later(from, time, [this, from, snapshot, state] { finish_stream(from, snapshot, state); });
}

void SimCluster::finish_stream(NodeId from, const Effects::SendSnapshot& snapshot,
                               const State& state) {
  SimServer& sender = *at(from).servers[snapshot.group.shard];
  Node& to = at(snapshot.to);
  if (to.is_up && !is_cut(from, to.id)) {
    to.disk.staged(snapshot.group)[state.meta.index] = state;
    if (std::optional<Message> message = sender.group().install_message(to.id, state.meta)) {
      ++result_.installs;
      send(*message);
    }
  }
  sender.step(SnapshotSent{snapshot.to, snapshot.stream});
}

}  // namespace shoal::raft::sim
