#include "cluster/engine/recovery.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cluster/engine/log_records.h"
#include "cluster/engine/opening.h"
#include "cluster/raft/raft_group.h"
#include "cluster/raft/wire.h"
#include "cluster/shard/entry.h"
#include "cluster/storage/log_store.h"
#include "cluster/storage/state_store.h"

namespace shoal::engine {
namespace {

using RecoveryKind = ShardRecovery::Kind;

struct StoppedStores {
  std::unique_ptr<storage::LogStore> log;
  std::unique_ptr<storage::StateStore> state;
  std::vector<storage::RecoveredLog> logs;
};

absl::StatusOr<StoppedStores> open_stopped(const std::string& directory, bool with_payloads) {
  for (const char* const name : {"/log", "/shards"}) {
    if (::access((directory + name).c_str(), F_OK) == 0) continue;
    return absl::DataLossError(directory + name + " is missing");
  }
  StoppedStores stores;
  auto log = storage::LogStore::open(directory + "/log", storage::Durability::kFsync);
  if (!log.ok()) return log.status();
  stores.log = *std::move(log);
  auto logs =
      stores.log->recover(with_payloads ? nullptr : storage::LogStore::WantsPayload(wants_payload));
  if (!logs.ok()) return logs.status();
  stores.logs = *std::move(logs);
  auto state = storage::StateStore::open(directory + "/shards", {});
  if (!state.ok()) return state.status();
  stores.state = *std::move(state);
  return stores;
}

// The highest incarnation counts; what is left of others was to be removed.
std::map<uint32_t, const storage::RecoveredLog*> latest_of(
    const std::vector<storage::RecoveredLog>& logs) {
  std::map<uint32_t, const storage::RecoveredLog*> latest;
  for (const storage::RecoveredLog& each : logs) latest[each.group.shard] = &each;
  return latest;
}

raft::Index applied_of(storage::StateStore& state, uint32_t shard, uint32_t shards,
                       uint64_t cluster_seed) {
  const StorePlan plan{.shards = shards, .cluster_seed = cluster_seed, .groups = {}, .self = {}};
  return make_replica({}, plan, state, shard).host->server().state().applied();
}

std::vector<NodeId> voters_of(const raft::Recovered& recovered) {
  std::vector<NodeId> voters;
  for (const raft::Server& each : last_configuration(recovered).servers) {
    if (each.role == raft::Role::kVoter) voters.push_back(each.id);
  }
  return voters;
}

// Where a copy became the state just before a crash the log ends before it.
HeldReplica held_of(raft::GroupId group, const raft::Recovered& recovered, raft::Index applied) {
  HeldReplica held{
      .group = group, .term = recovered.hard_state.term, .applied = applied, .voters = {}};
  if (recovered.log.empty() && !recovered.snapshot) return held;  // it was forgotten
  held.last = std::max(recovered.first + recovered.log.size() - 1, applied);
  held.last_term = recovered.log.empty() ? recovered.snapshot->term : recovered.log.back().term;
  held.voters = voters_of(recovered);
  return held;
}

storage::LogEntry change_at(raft::Index index, raft::Term term, NodeId voter) {
  const raft::Configuration alone{{{voter, raft::Role::kVoter}}};
  return log_entry_of({index, term, raft::EntryKind::kChange, raft::encode(alone)});
}

// Others may remember what this replica lacks.
storage::LogEntry recovered_at(raft::Index index, raft::Term term) {
  shard::EntryBuilder entry(0);
  entry.add(shard::FeatureOp{shard::kRecoveredLevel});
  entry.add(shard::RecoveredOp{});
  const std::string bytes = entry.finish();
  return {index, term, static_cast<uint8_t>(raft::EntryKind::kCommand), bytes};
}

class Recovering {
 public:
  Recovering(StoppedStores& stores, NodeId self, const RecoveryPlan& plan)
      : stores_(stores), self_(self), plan_(plan) {}

  absl::Status run() {
    const auto latest = latest_of(stores_.logs);
    for (const ShardRecovery& each : plan_.shards) {
      if (each.kind == RecoveryKind::kWhole) continue;
      const auto at = latest.find(each.shard);
      const storage::RecoveredLog* const log = at == latest.end() ? nullptr : at->second;
      if (absl::Status status = add(each, log); !status.ok()) return status;
    }
    std::vector<storage::LogWrite> writes;
    for (const storage::RecoveredLog& each : logs_) {
      writes.push_back({.group = each.group,
                        .state = each.state,
                        .first = each.entries.empty() ? 0 : each.entries.front().index,
                        .entries = each.entries});
    }
    if (absl::Status written = stores_.log->write(writes); !written.ok()) return written;
    // From here on a start counts the new ones. It removes what is left of the old ones, too.
    for (const storage::RecoveredLog& old : stores_.logs) {
      const bool is_replaced = std::any_of(logs_.begin(), logs_.end(), [&old](const auto& each) {
        return each.group.shard == old.group.shard;
      });
      if (!is_replaced) continue;
      if (absl::Status removed = stores_.log->remove(old.group); !removed.ok()) return removed;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status add(const ShardRecovery& shard, const storage::RecoveredLog* log) {
    storage::RecoveredLog fresh;
    fresh.group = {shard.shard, plan_.incarnation};
    fresh.state.term = shard.term;
    if (shard.node == self_ && shard.kind == RecoveryKind::kAlone) {
      if (absl::Status status = go_on(shard, *log, fresh); !status.ok()) return status;
    } else if (shard.node == self_) {
      if (absl::Status status = begin(shard, fresh); !status.ok()) return status;
    } else if (log == nullptr) {
      return absl::OkStatus();
    }
    logs_.push_back(std::move(fresh));
    return absl::OkStatus();
  }

  absl::Status go_on(const ShardRecovery& shard, const storage::RecoveredLog& log,
                     storage::RecoveredLog& fresh) {
    auto recovered = recovered_of(storage::RecoveredLog(log));
    if (!recovered.ok()) return recovered.status();
    if (recovered->first + recovered->log.size() - 1 == shard.last) {
      fresh.state.snapshot = log.state.snapshot;
      fresh.entries = log.entries;
    } else {  // the state is a copy that the log has not followed yet
      const raft::Configuration alone{{{self_, raft::Role::kVoter}}};
      fresh.state.snapshot = snapshot_text_of({shard.last, shard.term - 1, shard.last, alone});
    }
    fresh.entries.push_back(change_at(shard.last + 1, shard.term, self_));
    fresh.entries.push_back(recovered_at(shard.last + 2, shard.term));
    return absl::OkStatus();
  }

  absl::Status begin(const ShardRecovery& shard, storage::RecoveredLog& fresh) {
    fresh.entries.push_back(change_at(1, shard.term, self_));
    fresh.entries.push_back(recovered_at(2, shard.term));
    if (absl::Status removed = stores_.state->remove(shard.shard); !removed.ok()) return removed;
    return stores_.state->flush();
  }

  StoppedStores& stores_;
  const NodeId self_;
  const RecoveryPlan& plan_;
  std::vector<storage::RecoveredLog> logs_;  // of the groups that go on
};

}  // namespace

absl::StatusOr<std::vector<HeldReplica>> held_replicas(const std::string& directory,
                                                       uint32_t shards, uint64_t cluster_seed) {
  auto stores = open_stopped(directory, false);
  if (!stores.ok()) return stores.status();
  std::vector<HeldReplica> all;
  const auto latest = latest_of(stores->logs);
  for (const auto& [shard, log] : latest) {
    const raft::GroupId group = group_id_of(log->group);
    auto recovered = recovered_of(storage::RecoveredLog(*log));
    if (!recovered.ok()) return recovered.status();
    const raft::Index applied = applied_of(*stores->state, shard, shards, cluster_seed);
    all.push_back(held_of(group, *recovered, applied));
  }
  return all;
}

absl::Status recover(const std::string& directory, NodeId self, const RecoveryPlan& plan) {
  auto stores = open_stopped(directory, true);
  if (!stores.ok()) return stores.status();
  return Recovering(*stores, self, plan).run();
}

}  // namespace shoal::engine
