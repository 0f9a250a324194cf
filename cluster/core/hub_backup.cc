// Backups that are read from this node (backing_up.h).
#include "cluster/core/hub_core.h"
#include "shoal/protocol.h"

namespace shoal {

// A node of a version without them would take what they say for a broken protocol.
bool HubCore::all_know_backups() const { return context_.level >= kBackupLevel; }

std::string HubCore::why_no_backup() const {
  if (store_->is_open() && !all_know_backups()) {
    return "not all nodes are of a version that knows backups";
  }
  const std::string why = why_not_ready();
  return why.empty() ? "" : "this node is not ready: " + why;
}

std::optional<BackupStatus> HubCore::backup() const {
  if (!backing_up_ || backing_up_->id() == 0) return std::nullopt;
  return BackupStatus{.id = backing_up_->id(),
                      .seed = store_seed(cluster_, store_founding_),
                      .shards = store_founding_.shards,
                      .replicas = store_founding_.replicas,
                      .bytes = backing_up_->bytes()};
}

bool HubCore::on_backup_command(uint64_t token, const HubCommand& command) {
  const auto* const read = std::get_if<ReadBackupCommand>(&command);
  const auto* const end = std::get_if<EndBackupCommand>(&command);
  const bool begins = std::holds_alternative<BeginBackupCommand>(command);
  if (read == nullptr && end == nullptr && !begins) return false;
  if (!backing_up_) {
    answer(token, false, "this node has no durable sessions");
  } else if (begins) {
    backing_up_->begin(token);
  } else if (read != nullptr) {
    backing_up_->give(token, read->backup, read->number);
  } else {
    backing_up_->end(token, end->backup);
  }
  return true;
}

}  // namespace shoal
