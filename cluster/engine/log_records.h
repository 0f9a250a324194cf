// What a Raft group says and what the log store keeps, each as the other has it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cluster/raft/raft_events.h"
#include "cluster/storage/log_store.h"

namespace shoal::engine {

storage::LogGroup log_group_of(raft::GroupId group);
raft::GroupId group_id_of(storage::LogGroup group);
storage::LogEntry log_entry_of(const raft::Entry& entry);
raft::Entry entry_of(storage::LogEntry&& entry);
std::string snapshot_text_of(const raft::SnapshotMeta& snapshot);

// Of commands the payload is not needed for a start.
bool wants_payload(uint8_t kind);
// DataLoss: what is there cannot have been written by a group.
absl::StatusOr<raft::Recovered> recovered_of(storage::RecoveredLog&& log);
// That the log ends with, committed or not.
raft::Configuration last_configuration(const raft::Recovered& recovered);
// As it is kept, of a group that is founded.
storage::RecoveredLog log_of(raft::GroupId group, const raft::Recovered& founded);

}  // namespace shoal::engine
