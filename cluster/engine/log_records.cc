#include "cluster/engine/log_records.h"

#include <utility>

#include "cluster/raft/wire.h"
#include "shoal/byte_view.h"

namespace shoal::engine {
namespace {

absl::Status damaged(storage::LogGroup group, const std::string& what) {
  return absl::DataLossError("the log of shard " + std::to_string(group.shard) +
                             " is damaged: " + what);
}

std::string number(uint64_t value) { return std::to_string(value); }

absl::Status check_entry(const storage::RecoveredLog& log, const storage::LogEntry& entry) {
  const bool is_known = entry.kind >= static_cast<uint8_t>(raft::EntryKind::kCommand) &&
                        entry.kind <= static_cast<uint8_t>(raft::EntryKind::kChange);
  const bool is_change = entry.kind == static_cast<uint8_t>(raft::EntryKind::kChange);
  if (!is_known || (is_change && !raft::decode_configuration(bytes_of(entry.payload)))) {
    return damaged(log.group, "entry " + number(entry.index) + " cannot be read");
  }
  if (entry.term == 0 || entry.term > log.state.term) {
    return damaged(log.group, "entry " + number(entry.index) + " is of term " + number(entry.term) +
                                  ", the group was in " + number(log.state.term));
  }
  return absl::OkStatus();
}

// A snapshot that the log follows on, or holds the last entry of.
absl::Status check_snapshot(const storage::RecoveredLog& log, const raft::Recovered& recovered) {
  if (!recovered.snapshot) {
    if (recovered.first == 1) return absl::OkStatus();
    return damaged(log.group, "entries before " + number(recovered.first) + " are missing");
  }
  const raft::SnapshotMeta& snapshot = *recovered.snapshot;
  const raft::Index last = recovered.first + recovered.log.size() - 1;
  const bool is_in_log = snapshot.index >= recovered.first && snapshot.index <= last;
  if (snapshot.index + 1 < recovered.first || snapshot.index > last) {
    return damaged(log.group, "the state is kept as of " + number(snapshot.index) +
                                  ", the log from " + number(recovered.first) + " to " +
                                  number(last));
  }
  if (is_in_log && recovered.log[snapshot.index - recovered.first].term != snapshot.term) {
    return damaged(log.group, "the state as of " + number(snapshot.index) + " is of another term");
  }
  return absl::OkStatus();
}

}  // namespace

storage::LogGroup log_group_of(raft::GroupId group) { return {group.shard, group.incarnation}; }

raft::GroupId group_id_of(storage::LogGroup group) { return {group.shard, group.incarnation}; }

storage::LogEntry log_entry_of(const raft::Entry& entry) {
  const std::span<const uint8_t> bytes = raft::bytes_of(entry.payload);
  return {entry.index,
          entry.term,
          static_cast<uint8_t>(entry.kind),
          {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
}

raft::Entry entry_of(storage::LogEntry&& entry) {
  raft::Entry out{entry.index, entry.term, static_cast<raft::EntryKind>(entry.kind), nullptr};
  if (!entry.payload.empty()) {
    const std::span<const uint8_t> bytes = bytes_of(entry.payload);
    out.payload = std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end());
  }
  return out;
}

std::string snapshot_text_of(const raft::SnapshotMeta& snapshot) {
  const std::vector<uint8_t> bytes = raft::encode(snapshot);
  return {bytes.begin(), bytes.end()};
}

bool wants_payload(uint8_t kind) { return kind == static_cast<uint8_t>(raft::EntryKind::kChange); }

absl::StatusOr<raft::Recovered> recovered_of(storage::RecoveredLog&& log) {
  raft::Recovered recovered;
  recovered.hard_state = {log.state.term, NodeId{log.state.vote}};
  if (!log.state.snapshot.empty()) {
    recovered.snapshot = raft::decode_snapshot(bytes_of(log.state.snapshot));
    if (!recovered.snapshot) return damaged(log.group, "what the state says of itself");
  }
  if (!log.entries.empty()) {
    recovered.first = log.entries.front().index;
  } else if (recovered.snapshot) {
    recovered.first = recovered.snapshot->index + 1;
  }
  recovered.log.reserve(log.entries.size());
  for (storage::LogEntry& entry : log.entries) {
    if (absl::Status wrong = check_entry(log, entry); !wrong.ok()) return wrong;
    recovered.log.push_back(entry_of(std::move(entry)));
  }
  if (absl::Status wrong = check_snapshot(log, recovered); !wrong.ok()) return wrong;
  return recovered;
}

raft::Configuration last_configuration(const raft::Recovered& recovered) {
  for (auto it = recovered.log.rbegin(); it != recovered.log.rend(); ++it) {
    if (it->kind != raft::EntryKind::kChange) continue;
    return raft::decode_configuration(raft::bytes_of(it->payload)).value_or(raft::Configuration());
  }
  return recovered.snapshot ? recovered.snapshot->configuration : raft::Configuration();
}

storage::RecoveredLog log_of(raft::GroupId group, const raft::Recovered& founded) {
  storage::RecoveredLog log;
  log.group = log_group_of(group);
  log.state = {founded.hard_state.term, founded.hard_state.vote.value, {}};
  for (const raft::Entry& entry : founded.log) log.entries.push_back(log_entry_of(entry));
  return log;
}

}  // namespace shoal::engine
