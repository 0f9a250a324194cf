// Members of shared subscriptions whose sessions are in this shard: tells the groups' shards how much
// room each has.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cluster/replica/attachments.h"
#include "cluster/replica/server_effects.h"
#include "cluster/shard/shard_state.h"

namespace shoal::replica {

class Sharers {
 public:
  Sharers(uint32_t shards, uint64_t cluster_seed) : shards_(shards), cluster_seed_(cluster_seed) {}

  void clear();
  // The room of this session, or of any that has said some, may be another than was said.
  void note(const std::string& client_id) { noted_.insert(client_id); }
  void note_all() { noted_.insert(sharing_.begin(), sharing_.end()); }
  void pump(const shard::ShardState& state, const Attachments& attachments,
            std::vector<ServerEffects::Want>& out);

 private:
  bool say(const shard::ShardState& state, const std::string& client_id,
           std::vector<ServerEffects::Want>& out) const;

  const uint32_t shards_;
  const uint64_t cluster_seed_;
  std::set<std::string> noted_;
  std::set<std::string> sharing_;  // attached, with shared subscriptions
};

}  // namespace shoal::replica
