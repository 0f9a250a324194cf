// Takes backups of a simulated cluster, one after the other, each from some node that is ready, and looks
// whether what it is given is a cut: whole, and nothing in one shard that another has not sent. That a
// restored cluster has all that was promised tests/replica demands.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "cluster/shard/key_values.h"
#include "cluster/shard/shard_state.h"
#include "proto/shoal/backup.pb.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/world.h"

namespace shoal::sim {

class SimBackups {
 public:
  using Violate = std::function<void(std::string)>;
  SimBackups(uint32_t shards, Violate violate) : shards_(shards), violate_(std::move(violate)) {}

  // From this node, as none is being taken.
  void begin(SimNode& node);
  // The process that it was read from is there still.
  bool is_going_on() const { return node_ != nullptr && node_->life() == life_; }
  void on_answer(const SimNode& node, const HubEffects::Answer& answer);
  uint64_t whole() const { return whole_; }

 private:
  void add(const std::string& bytes);
  void ask_next();
  void check();
  void check_marks(const std::map<uint32_t, uint64_t>& last);

  const uint32_t shards_;
  const Violate violate_;
  SimNode* node_ = nullptr;
  uint64_t life_ = 0;
  uint64_t id_ = 0;
  uint64_t seed_ = 0;  // of the cluster
  uint64_t number_ = 0;
  std::map<uint32_t, shard::MemoryKeyValues> parts_;
  std::set<uint32_t> done_;
  std::set<std::string> retained_;
  uint64_t whole_ = 0;
};

}  // namespace shoal::sim
