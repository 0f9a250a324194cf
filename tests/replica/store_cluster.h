// Nodes with the production Store and ShardServers of all shards, on simulated disks and a simulated
// network, without brokers: what workers would say is said by tests.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/replica/shard_host.h"
#include "cluster/replica/store.h"
#include "cluster/shard/key_values.h"
#include "tests/raft/sim_disk.h"
#include "tests/replica/memory_disk.h"
#include "tests/sim/world.h"

namespace shoal::replica::test {

using shoal::sim::World;

class StoreCluster {
 public:
  // `trailing`: see Groups::Options. A short one makes nodes that were away need copies.
  StoreCluster(uint64_t seed, int nodes, uint32_t shards, unsigned trailing);

  World& world() { return world_; }
  Now now() const { return {world_.now(), kWallStart + world_.now().ns / 1'000'000}; }
  int nodes() const { return static_cast<int>(nodes_.size()); }
  bool is_up(int node) const { return nodes_[node]->process != nullptr; }
  uint64_t incarnation(int node) const { return nodes_[node]->incarnation; }
  Store& store(int node) { return *nodes_[node]->process->store; }
  const ShardServer& server(int node, uint32_t shard) {
    return nodes_[node]->process->hosts[shard]->server();
  }
  // The node whose replica serves, -1: none.
  int leader(uint32_t shard) const;

  void start(int node);
  void crash(int node);
  void cut(int a, int b, bool is_cut);
  bool is_cut(int a, int b) const { return cuts_.contains(pair_of(a, b)); }
  void heal();
  // Nothing happens on it until then, and what comes waits.
  void freeze(int node, Duration for_so_long);

  void ask(int node, ToStore mail);
  // What a worker gets; its node is up.
  std::function<void(int node, FromStore&& mail)> on_mail;
  // A node's process ended.
  std::function<void(int node)> on_crash;

  // Copies of states that took the place of a node's own.
  uint64_t installed() const { return installed_; }

  // Violations so far, for people.
  std::vector<std::string> violations;
  // Of the same applied index, on every replica.
  void check_replicas();

 private:
  static constexpr int64_t kWallStart = 1'700'000'000'000;
  static constexpr uint64_t kClusterSeed = 5;

  struct Process {
    std::unique_ptr<Store> store;
    std::vector<std::unique_ptr<MemoryDisk>> disks;
    std::vector<std::unique_ptr<ShardHost>> hosts;
    uint64_t told = 0;
    std::set<NodeId> peers;
  };
  struct Node {
    NodeId id;
    uint64_t incarnation = 0;
    int life = 0;  // what was planned for an earlier one is void
    Instant frozen_until{};
    raft::sim::SimDisk disk;
    std::map<uint32_t, shard::MemoryKeyValues> flushed;
    std::unique_ptr<Process> process;
  };
  using PairKey = std::pair<int, int>;
  static PairKey pair_of(int a, int b) { return {std::min(a, b), std::max(a, b)}; }

  void later(int node, Duration delay, std::function<void()> what);
  void turn(int node);
  void carry_out(int node, StoreEffects&& effects);
  void write(int node);
  void flush(int node);
  void tick(int node);
  void to_server(int node, uint32_t shard, ToServer mail);
  void connect(int a, int b);
  void disconnect(int a, int b);
  int index_of(NodeId id) const { return static_cast<int>(id.value) - 1; }
  static raft::GroupId group(uint32_t shard) { return {shard, 1}; }

  World world_;
  const uint32_t shards_;
  const unsigned trailing_;
  uint64_t installed_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<PairKey> cuts_;
  std::map<PairKey, uint64_t> sessions_;  // open ones
  uint64_t last_session_ = 0;
  std::map<std::pair<int, int>, Instant> last_delivery_;  // from, to
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> hashes_;
};

}  // namespace shoal::replica::test
