// A simulated cluster: nodes with some groups each, their disks, the network, the load and the faults.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tests/raft/sim_options.h"
#include "tests/raft/sim_server.h"
#include "tests/sim/world.h"

namespace shoal::raft::sim {

class SimCluster : public Surroundings {
 public:
  explicit SimCluster(const SimOptions& options);
  SimResult run();

 private:
  struct Node {
    NodeId id;
    bool is_up = false;
    uint64_t life = 0;
    Instant frozen_until{};
    SimDisk disk;
    std::vector<std::unique_ptr<SimServer>> servers;  // by shard
  };

  // sim_cluster.cc: the world as the servers see it
  Instant now() const override { return world_.now(); }
  Random& random() override { return world_.random(); }
  Oracle& oracle() override { return oracle_; }
  SimDisk& disk(NodeId node) override { return at(node).disk; }
  void later(NodeId node, Duration delay, std::function<void()> what) override;
  void disk_has_work(NodeId node) override;
  void send(const Message& message) override;
  void send_snapshot(NodeId from, const Effects::SendSnapshot& snapshot,
                     const State& state) override;
  void note(uint64_t what) override;

  Node& at(NodeId id) { return *nodes_[id.value - 1]; }
  SimServer* leader_of(int shard);
  bool is_cut(NodeId from, NodeId to) const { return cuts_.count({from, to}) != 0; }
  void on_node(NodeId node, uint64_t life, std::function<void()> what);
  void arrive(const std::vector<uint8_t>& bytes);
  void finish_stream(NodeId from, const Effects::SendSnapshot& snapshot, const State& state);
  void found();
  void revive(Node& node);
  void crash(Node& node);

  // sim_load.cc: what clients and operators do
  void load();
  void submit(SimServer& leader);
  void administer(int shard, SimServer& leader);
  void change(int shard, SimServer& leader);
  void grow(SimServer& leader);
  void maybe_transfer(SimServer& leader);
  std::vector<NodeId> outsiders(const Configuration& configuration) const;

  // sim_faults.cc
  void fault();
  void crash_for_a_while(Node& node);
  void crash_everything();
  void cut_for_a_while(Node& node);
  void cut_one_way(Node& node);
  void freeze(Node& node);
  void heal();
  bool is_calm() const { return world_.now() >= chaos_end_; }
  void check_end();
  void check_group(int shard);

  const SimOptions options_;
  shoal::sim::World world_;
  const Instant chaos_end_;
  Oracle oracle_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multiset<std::pair<NodeId, NodeId>> cuts_;
  std::vector<size_t> wanted_voters_;  // by shard
  std::vector<Instant> next_change_;
  uint64_t commands_ = 0;
  bool quiet_ = false;  // no message is lost or late any more
  SimResult result_;
};

}  // namespace shoal::raft::sim
