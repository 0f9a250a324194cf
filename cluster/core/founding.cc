#include "cluster/core/founding.h"

#include <algorithm>

namespace shoal {
namespace {

bool names(const proto::Proposal& proposal, NodeId id) {
  return std::find(proposal.nodes().begin(), proposal.nodes().end(), id.value) !=
         proposal.nodes().end();
}

}  // namespace

ClusterId cluster_id_of(const proto::ClusterId& from) { return {from.high(), from.low()}; }

void set_cluster_id(proto::ClusterId* to, const ClusterId& from) {
  to->set_high(from.high);
  to->set_low(from.low);
}

std::optional<Founding::Founded> Founding::step(const std::map<NodeId, const proto::State*>& said) {
  const auto expect = static_cast<uint32_t>(context_.config.expect);
  if (expect == 0) return std::nullopt;
  std::map<NodeId, const proto::State*> seen;
  for (const auto& [id, state] : said) {
    if (state->expect() == expect) seen.emplace(id, state);
  }
  check_accepted(seen);
  check_proposal(seen);
  if (!own_) return std::nullopt;
  const bool accepted = std::all_of(own_->nodes.begin(), own_->nodes.end(), [&](NodeId id) {
    return id == context_.self || cluster_id_of(seen.at(id)->accepted()) == own_->cluster;
  });
  if (!accepted) return std::nullopt;
  return Founded{own_->cluster, own_->nodes};
}

void Founding::check_accepted(const std::map<NodeId, const proto::State*>& seen) {
  if (accepted_) {
    const auto it = seen.find(accepted_->proposer);
    const bool stands =
        it != seen.end() && cluster_id_of(it->second->proposal().cluster()) == accepted_->cluster;
    if (!stands) accepted_.reset();
  }
  if (accepted_) return;
  for (const auto& [id, state] : seen) {  // the lowest first
    if (id > context_.self && own_) break;
    if (!state->has_proposal() || !names(state->proposal(), context_.self)) continue;
    accepted_ = Proposal{id, cluster_id_of(state->proposal().cluster()), {}};
    own_.reset();
    return;
  }
}

void Founding::check_proposal(const std::map<NodeId, const proto::State*>& seen) {
  const bool is_lowest = seen.empty() || context_.self < seen.begin()->first;
  const bool is_enough = seen.size() + 1 >= static_cast<size_t>(context_.config.expect);
  const bool is_standing =
      own_ && std::all_of(own_->nodes.begin(), own_->nodes.end(),
                          [&](NodeId id) { return id == context_.self || seen.count(id) != 0; });
  if (accepted_ || !is_enough || (own_ && !is_standing)) own_.reset();
  if (own_ || accepted_ || !is_lowest || !is_enough) return;
  own_ = Proposal{context_.self, {context_.random.next(), context_.random.next()}, {}};
  own_->nodes.push_back(context_.self);
  for (const auto& [id, state] : seen) own_->nodes.push_back(id);
}

void Founding::fill(proto::State& state) const {
  state.set_expect(static_cast<uint32_t>(std::max(context_.config.expect, 0)));
  if (own_) {
    set_cluster_id(state.mutable_proposal()->mutable_cluster(), own_->cluster);
    for (const NodeId id : own_->nodes) state.mutable_proposal()->add_nodes(id.value);
  }
  if (accepted_) set_cluster_id(state.mutable_accepted(), accepted_->cluster);
}

}  // namespace shoal
