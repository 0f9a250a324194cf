#include "cluster/engine/restoring.h"

#include <utility>

#include "cluster/engine/log_records.h"
#include "cluster/engine/retained_writer.h"
#include "cluster/raft/raft_group.h"
#include "proto/shoal/hub.pb.h"

namespace shoal::engine {
namespace {

constexpr uint64_t kFirstIncarnation = 1;
constexpr size_t kBatchBytes = size_t{1} * 1024 * 1024;

using RetainedChange = storage::RetainedStore::Change;

std::string shard_of(size_t shard) { return "shard " + std::to_string(shard); }

}  // namespace

struct Restoring::Stores {
  std::unique_ptr<storage::LogStore> log;
  std::unique_ptr<storage::StateStore> state;
  std::unique_ptr<storage::RetainedStore> retained;
  std::vector<storage::RecoveredLog> logs;  // of the shards that are finished
  // Of the shard that is under way.
  std::unique_ptr<storage::StateInstall> install;
  shard::StatePortion portion;
  bool has_keys = false;
  std::vector<RetainedChange> changes;
  size_t bytes = 0;  // of the portion, or of the changes
};

Restoring::Restoring(std::string directory, NodeId self, StorePlan plan)
    : directory_(std::move(directory)),
      voters_{{{self, raft::Role::kVoter}}},
      plan_(std::move(plan)),
      stores_(std::make_unique<Stores>()) {}

Restoring::~Restoring() = default;

absl::StatusOr<std::unique_ptr<Restoring>> Restoring::begin(const std::string& directory,
                                                            NodeId self, uint32_t shards,
                                                            uint64_t cluster_seed) {
  std::unique_ptr<Restoring> made(new Restoring(
      directory, self, {.shards = shards, .cluster_seed = cluster_seed, .self = self}));
  // Founded with no group: the directories and the stores.
  StorePlan nothing = made->plan_;
  nothing.found = true;
  OpeningOptions options;
  options.directory = directory;
  auto opened = open_store(options, nothing);
  if (!opened.ok()) return opened.status();
  if (!opened->hosts.empty()) {
    return absl::FailedPreconditionError(directory + ": has replicas already");
  }
  made->stores_->log = std::move(opened->log);
  made->stores_->state = std::move(opened->state);
  made->stores_->retained = std::move(opened->retained);
  return made;
}

// ---- shards -------------------------------------------------------------------------------------

absl::Status Restoring::add(std::string_view key, std::string_view value) {
  Stores& stores = *stores_;
  if (!stores.install) {
    stores.install = stores.state->install(static_cast<uint32_t>(stores.logs.size()));
  }
  stores.has_keys = true;
  stores.portion.items.emplace_back(key, value);
  stores.bytes += key.size() + value.size();
  return stores.bytes < kBatchBytes ? absl::OkStatus() : flush_keys();
}

absl::Status Restoring::flush_keys() {
  stores_->bytes = 0;
  return stores_->install->add(std::exchange(stores_->portion, {}));
}

absl::Status Restoring::finish_shard(raft::Index index, raft::Term term) {
  Stores& stores = *stores_;
  const raft::GroupId group{static_cast<uint32_t>(stores.logs.size()), kFirstIncarnation};
  plan_.groups.push_back({group, voters_});
  if (!std::exchange(stores.has_keys, false)) {
    stores.logs.push_back(log_of(group, raft::RaftGroup::founded(voters_)));
    return absl::OkStatus();
  }
  if (index == 0 || term == 0) {
    return absl::DataLossError(shard_of(group.shard) + " has keys, and no entry that it is as of");
  }
  if (absl::Status added = flush_keys(); !added.ok()) return added;
  if (absl::Status done = stores.install->finish(); !done.ok()) return done;
  stores.install.reset();
  // As after a copy that came from a leader: nothing of the log but what the state says of itself. A
  // lone voter begins in a term of its own (docs/raft.md, guard 6).
  storage::RecoveredLog log;
  log.group = log_group_of(group);
  log.state = {term, 0, snapshot_text_of({index, term, index, voters_})};
  stores.logs.push_back(std::move(log));
  return absl::OkStatus();
}

// ---- retained messages --------------------------------------------------------------------------

absl::Status Restoring::add_retained(std::string_view topic, std::string_view record) {
  Stores& stores = *stores_;
  stores.changes.push_back({RetainedChange::Kind::kPut, std::string(topic), std::string(record)});
  stores.bytes += topic.size() + record.size();
  return stores.bytes < kBatchBytes ? absl::OkStatus() : flush_retained();
}

absl::Status Restoring::flush_retained() {
  stores_->bytes = 0;
  return stores_->retained->write(std::exchange(stores_->changes, {}));
}

// ---- the end ------------------------------------------------------------------------------------

// The logs last: a state that has no log of its own refuses to open.
absl::Status Restoring::finish(int64_t retained_as_of_ms) {
  Stores& stores = *stores_;
  if (stores.logs.size() != plan_.shards) {
    return absl::DataLossError(shard_of(stores.logs.size()) + " is missing");
  }
  proto::RetainedNote note;
  note.set_as_of_ms(retained_as_of_ms);
  stores.changes.push_back({RetainedChange::Kind::kNote, {}, note.SerializeAsString()});
  if (absl::Status written = flush_retained(); !written.ok()) return written;
  if (absl::Status flushed = stores.state->flush(); !flushed.ok()) return flushed;
  std::vector<storage::LogWrite> writes;
  for (const storage::RecoveredLog& log : stores.logs) {
    writes.push_back({.group = log.group,
                      .state = log.state,
                      .first = log.entries.empty() ? uint64_t{0} : uint64_t{1},
                      .entries = log.entries});
  }
  if (absl::Status written = stores.log->write(writes); !written.ok()) return written;
  stores_.reset();
  OpeningOptions options;
  options.directory = directory_;
  auto opened = open_store(options, plan_);
  if (!opened.ok()) return opened.status();
  return load_retained(*opened->retained, Now{}).status();
}

}  // namespace shoal::engine
