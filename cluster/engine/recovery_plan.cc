#include "cluster/engine/recovery_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace shoal::engine {
namespace {

using RecoveryKind = ShardRecovery::Kind;

struct Candidate {
  NodeId node;
  const HeldReplica* replica = nullptr;
};

// Of two the one that has more of what was acknowledged; of equal ones that of the lower id.
bool is_better(const Candidate& a, const Candidate& b) {
  const auto key = [](const Candidate& each) {
    return std::tuple(each.replica->group.incarnation, each.replica->last_term, each.replica->last);
  };
  if (key(a) != key(b)) return key(a) > key(b);
  return a.node < b.node;
}

std::string check_reports(const std::vector<NodeReport>& reports,
                          const std::vector<std::string>& names) {
  std::map<NodeId, std::string> seen;
  for (size_t i = 0; i < reports.size(); ++i) {
    const NodeReport& report = reports[i];
    if (report.cluster != reports[0].cluster || report.shards != reports[0].shards) {
      return names[i] + ": is of another cluster than " + names[0];
    }
    const auto [known, is_new] = seen.emplace(report.node, names[i]);
    if (!is_new) return names[i] + ": is of the same node as " + known->second;
    const auto own =
        std::find_if(report.members.begin(), report.members.end(),
                     [&report](const StoredMember& each) { return each.id == report.node; });
    if (own == report.members.end() || own->left) {
      return names[i] + ": its node is no member of the cluster";
    }
  }
  for (size_t i = 0; i < reports.size(); ++i) {
    for (const StoredMember& member : reports[i].members) {
      const auto left = seen.find(member.id);
      if (member.left && left != seen.end()) {
        return left->second + ": its node has left the cluster, as " + names[i] + " says";
      }
    }
  }
  return "";
}

class Planning {
 public:
  explicit Planning(const std::vector<NodeReport>& reports) : reports_(reports) {}

  RecoveryPlan run() {
    list_nodes();
    for (const NodeReport& report : reports_) {
      for (const HeldReplica& each : report.held) {
        plan_.incarnation = std::max(plan_.incarnation, each.group.incarnation);
      }
    }
    ++plan_.incarnation;
    for (uint32_t shard = 0; shard < reports_[0].shards; ++shard) plan_.shards.push_back(of(shard));
    return std::move(plan_);
  }

 private:
  void list_nodes() {
    std::set<NodeId> lost, left;
    for (const NodeReport& report : reports_) {
      plan_.survivors.push_back(report.node);
      for (const StoredMember& member : report.members) {
        (member.left ? left : lost).insert(member.id);
      }
    }
    std::sort(plan_.survivors.begin(), plan_.survivors.end());
    for (const NodeId id : lost) {
      const bool survives = std::binary_search(plan_.survivors.begin(), plan_.survivors.end(), id);
      if (!survives && !left.contains(id)) plan_.lost.push_back(id);
    }
  }

  ShardRecovery of(uint32_t shard) const {
    std::vector<Candidate> candidates;
    raft::Term term = 0;
    for (const NodeReport& report : reports_) {
      for (const HeldReplica& each : report.held) {
        if (each.group.shard != shard) continue;
        term = std::max(term, each.term);
        if (each.last != 0) candidates.push_back({report.node, &each});
      }
    }
    if (candidates.empty()) {
      return {.shard = shard,
              .kind = RecoveryKind::kFounded,
              .node = plan_.survivors.front(),
              .term = term + 1,
              .voters = {}};
    }
    const Candidate best = *std::min_element(candidates.begin(), candidates.end(), is_better);
    const std::vector<NodeId>& voters = best.replica->voters;
    const auto there = static_cast<size_t>(
        std::count_if(candidates.begin(), candidates.end(), [&](const Candidate& each) {
          return each.replica->group == best.replica->group &&
                 std::binary_search(voters.begin(), voters.end(), each.node);
        }));
    const bool is_whole = there * 2 > voters.size();
    return {.shard = shard,
            .kind = is_whole ? RecoveryKind::kWhole : RecoveryKind::kAlone,
            .node = is_whole ? NodeId() : best.node,
            .term = is_whole ? 0 : term + 1,
            .last = best.replica->last,
            .voters = voters};
  }

  const std::vector<NodeReport>& reports_;
  RecoveryPlan plan_;
};

}  // namespace

std::variant<RecoveryPlan, std::string> plan_recovery(const std::vector<NodeReport>& reports,
                                                      const std::vector<std::string>& names) {
  if (std::string wrong = check_reports(reports, names); !wrong.empty()) return wrong;
  return Planning(reports).run();
}

}  // namespace shoal::engine
