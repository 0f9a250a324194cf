// How nodes without a cluster become one. Each tells in its States how many nodes it expects; the
// lowest of so many that see each other proposes a random cluster id for all that it sees; each
// accepts one proposal at a time and holds on to it as long as the proposer stands by it; when all
// have accepted, the proposer stores the id, and the others take it over from it.
//
// Nothing is stored before that, so that a proposal whose nodes go away is simply forgotten. With
// `expect` more than half of the nodes that will ever be started, no two clusters can be founded.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/stored_state.h"
#include "proto/shoal/hub.pb.h"

namespace shoal {

class Founding {
 public:
  explicit Founding(Context& context) : context_(context) {}

  struct Founded {
    ClusterId cluster;
    std::vector<NodeId> nodes;
  };
  // `said`: the last States of linked nodes that have no cluster either. Set when the cluster is
  // there: this node's proposal is accepted by all.
  std::optional<Founded> step(const std::map<NodeId, const proto::State*>& said);
  void fill(proto::State& state) const;

 private:
  struct Proposal {
    NodeId proposer;
    ClusterId cluster;
    std::vector<NodeId> nodes;
  };
  void check_accepted(const std::map<NodeId, const proto::State*>& seen);
  void check_proposal(const std::map<NodeId, const proto::State*>& seen);

  Context& context_;
  std::optional<Proposal> own_;
  std::optional<Proposal> accepted_;  // of another
};

// Cluster ids on the wire.
ClusterId cluster_id_of(const proto::ClusterId& from);
void set_cluster_id(proto::ClusterId* to, const ClusterId& from);

}  // namespace shoal
