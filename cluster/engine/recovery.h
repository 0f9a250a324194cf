// The stores of a node that does not run: what replicas are in them, and the change that recovers the shards
// whose majority is lost for good (recovery_plan.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "cluster/engine/recovery_plan.h"

namespace shoal::engine {

// Of the data directory of a node that has stores.
absl::StatusOr<std::vector<HeldReplica>> held_replicas(const std::string& directory,
                                                       uint32_t shards, uint64_t cluster_seed);

// The plan's shards on the node: those that go on here do so alone, of the others nothing stays but that
// the node may not vote in what was. Durable when it returns; with an error nothing is changed, or all
// that a next start needs.
absl::Status recover(const std::string& directory, NodeId self, const RecoveryPlan& plan);

}  // namespace shoal::engine
