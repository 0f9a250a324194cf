// Cuts for backups: that which this node takes, and its replicas' parts in those of others and its own.
#include <utility>

#include "cluster/replica/store.h"

namespace shoal::replica {

void Store::begin_backup(Now now) {
  end_backup(now);
  backup_ = std::make_unique<BackupCut>(
      options_.shards, options_.seed + ++backups_,
      BackupCut::Surroundings{.leader = [this](uint32_t shard) { return client_->leader(shard); },
                              .ask =
                                  [this](NodeId to, const proto::BackupAsk& ask) {
                                    if (to == options_.self) return on_backup_ask(to, ask);
                                    send(to, StoreFrame::kBackupAsk, ask);
                                  }});
  backup_->begin(now);
}

void Store::end_backup(Now now) {
  now_ = now;
  if (backup_) backup_->end();
  backup_.reset();
}

// A replica that is none any more would never answer.
void Store::on_backup_ask(NodeId from, const proto::BackupAsk& ask) {
  if (groups_.has(ask.shard())) return to_server(ask.shard(), BackupAsked{from, ask});
  proto::BackupTold told;
  told.set_shard(ask.shard());
  told.set_cut(ask.cut());
  told.set_step(ask.step());
  told.set_refused("its replica has moved");
  if (from != options_.self) send(from, StoreFrame::kBackupTold, told);
}

// Which term an entry is of the log says.
void Store::tell_backup(BackupParts::Told&& told) {
  proto::BackupTold& message = told.message;
  if (message.step() == proto::BackupAsk::kPin && message.refused().empty()) {
    const raft::RaftGroup* const group = groups_.find(message.shard());
    const auto meta = group == nullptr ? std::nullopt : group->meta_at(message.index());
    if (!meta || meta->index != message.index()) {
      message.set_refused("its log is being replaced");
    } else {
      message.set_index_term(meta->term);
    }
  }
  if (told.to == options_.self) return on_backup_told(told.to, std::move(message));
  const bool is_portion = message.step() == proto::BackupAsk::kPortion;
  send(told.to, is_portion ? StoreFrame::kBackupPortion : StoreFrame::kBackupTold, message);
}

void Store::on_backup_told(NodeId from, proto::BackupTold&& told) {
  if (backup_) backup_->on_told(from, std::move(told), now_);
}

}  // namespace shoal::replica
