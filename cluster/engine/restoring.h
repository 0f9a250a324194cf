// The disks of a node that begins a cluster with states that are known already: each shard a group of
// this node alone that goes on at an index of its log (docs/decisions/0006-backup.md). What is not
// finished opens nowhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "cluster/core/store_plan.h"
#include "cluster/engine/opening.h"

namespace shoal::engine {

class Restoring {
 public:
  // `directory`: the node's, which is there and has no store.
  static absl::StatusOr<std::unique_ptr<Restoring>> begin(const std::string& directory, NodeId self,
                                                          uint32_t shards, uint64_t cluster_seed);
  ~Restoring();

  // One shard after the other, from 0 on, each with its keys ascending.
  absl::Status add(std::string_view key, std::string_view value);
  // The state is as of this entry of its log. A shard without keys is founded as a new one.
  absl::Status finish_shard(raft::Index index, raft::Term term);

  // After all shards. `record`: as it stood on the disk of another node.
  absl::Status add_retained(std::string_view topic, std::string_view record);

  // Durable, and looked at as a start does.
  absl::Status finish(int64_t retained_as_of_ms);

 private:
  struct Stores;
  Restoring(std::string directory, NodeId self, StorePlan plan);
  absl::Status flush_keys();
  absl::Status flush_retained();

  const std::string directory_;
  const raft::Configuration voters_;
  StorePlan plan_;
  std::unique_ptr<Stores> stores_;
};

}  // namespace shoal::engine
