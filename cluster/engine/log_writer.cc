#include "cluster/engine/log_writer.h"

#include <utility>

#include "cluster/engine/log_records.h"

namespace shoal::engine {
namespace {

// A write is built in memory: when much waits, the first of it is told of sooner, too.
constexpr size_t kWriteBytes = size_t{8} * 1024 * 1024;

storage::LogState log_state_of(const LogWriter::GroupState& group) {
  return {group.hard_state.term, group.hard_state.vote.value,
          group.snapshot ? snapshot_text_of(*group.snapshot) : std::string()};
}

}  // namespace

LogWriter::LogWriter(storage::LogStore& log, std::map<raft::GroupId, GroupState> groups,
                     StoreSink& sink)
    : log_(log), sink_(sink), groups_(std::move(groups)) {}

void LogWriter::post(std::vector<raft::Effects::Persist>& persists,
                     std::vector<raft::Effects::Cut>& cuts) {
  for (raft::Effects::Persist& each : persists) posted_.emplace_back(std::move(each));
  for (raft::Effects::Cut& each : cuts) posted_.emplace_back(std::move(each));
  persists.clear();
  cuts.clear();
  inbox_.post_all(posted_);
}

void LogWriter::run() {
  std::vector<Work> work;
  while (inbox_.take(work)) {
    std::span<const Work> waiting(work);
    while (!waiting.empty()) {
      if (!write_some(waiting)) return;
    }
    work.clear();
  }
}

bool LogWriter::write_some(std::span<const Work>& waiting) {
  Batch batch;
  while (!waiting.empty() && batch.bytes < kWriteBytes) {
    std::visit([&](const auto& each) { add(each, batch); }, waiting.front());
    waiting = waiting.subspan(1);
  }
  if (const absl::Status written = log_.write(batch.writes); !written.ok()) {
    sink_.on_store_failed(std::string(written.message()));
    return false;
  }
  std::vector<StoreSink::Persisted> persisted;
  for (const auto& [group, number] : batch.numbers) persisted.push_back({group, number});
  if (!persisted.empty()) sink_.on_persisted(std::move(persisted));
  return true;
}

// An installation is whole or not there: without it, what is in the log still is what the group had.
void LogWriter::add(const raft::Effects::Persist& persist, Batch& batch) {
  GroupState& group = groups_[persist.group];
  if (persist.hard_state) group.hard_state = *persist.hard_state;
  if (persist.install) group.snapshot = persist.install;
  if (persist.forget) group.snapshot.reset();

  storage::LogWrite write{.group = log_group_of(persist.group)};
  if (persist.hard_state || persist.install) write.state = log_state_of(group);
  if (persist.forget) {
    write.clear = true;
  } else if (persist.install) {
    write.clear = true;
    write.first = persist.install->index + 1;
  } else if (persist.first != 0) {
    std::vector<storage::LogEntry>& entries = batch.entries.emplace_back();
    for (const raft::Entry& entry : persist.entries) {
      batch.bytes += entry.size();
      entries.push_back(log_entry_of(entry));
    }
    write.first = persist.first;
    write.entries = entries;
  }
  batch.writes.push_back(std::move(write));
  batch.numbers[persist.group] = persist.number;
}

void LogWriter::add(const raft::Effects::Cut& cut, Batch& batch) {
  GroupState& group = groups_[cut.group];
  if (group.snapshot && cut.snapshot.index < group.snapshot->index) return;
  group.snapshot = cut.snapshot;
  batch.writes.push_back(
      {.group = log_group_of(cut.group), .state = log_state_of(group), .cut = cut.first});
}

}  // namespace shoal::engine
