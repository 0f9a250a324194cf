// One replica of one group on one node: the production RaftGroup, with a state machine that only
// hashes, and the carrying out of its effects in the simulated world.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cluster/raft/raft_group.h"
#include "tests/raft/oracle.h"
#include "tests/raft/sim_disk.h"

namespace shoal::raft::sim {

// What a replica needs of the world around it.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual Instant now() const = 0;
  virtual Random& random() = 0;
  virtual Oracle& oracle() = 0;
  virtual SimDisk& disk(NodeId node) = 0;
  // On the node, unless it has crashed by then; a frozen one gets it when it goes on.
  virtual void later(NodeId node, Duration delay, std::function<void()> what) = 0;
  virtual void disk_has_work(NodeId node) = 0;
  virtual void send(const Message& message) = 0;
  virtual void send_snapshot(NodeId from, const Effects::SendSnapshot& snapshot,
                             const State& state) = 0;
  virtual void note(uint64_t what) = 0;
};

class SimServer {
 public:
  SimServer(GroupId group, NodeId node, Surroundings& world, bool takes_snapshots);

  void start();
  Outcome step(Event event);

  RaftGroup& group() { return *group_; }
  bool is_serving() const { return group_->role().serving; }
  // Commands with this leader's mark; acknowledged when they are applied here in the same term.
  Outcome submit(std::vector<Payload> commands);
  Instant acknowledged_at() const { return acknowledged_at_; }

 private:
  void carry_out(Effects& effects);
  void apply_later();
  void apply_entry(const Entry& entry);
  void check_commit(Index before, bool led);
  void maybe_take_snapshot();
  void arm_timer();
  void installed();

  const GroupId id_;
  const NodeId node_;
  Surroundings& world_;
  const bool takes_snapshots_;
  std::unique_ptr<RaftGroup> group_;
  Effects effects_;
  Index applied_ = 0;
  uint64_t hash_ = 0;
  Instant armed_ = Instant::never();
  uint64_t install_number_ = 0;
  uint64_t installs_ = 0;  // an apply from before one is void
  bool flushing_ = false;
  std::deque<Effects::Apply> applies_;
  std::map<Index, Term> submitted_;
  Instant acknowledged_at_{};
};

}  // namespace shoal::raft::sim
