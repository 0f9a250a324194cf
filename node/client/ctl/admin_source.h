// A node's admin API as the source of a backup.
#pragma once

#include "node/client/backup/source.h"
#include "node/client/ctl/admin_client.h"

namespace shoal::ctl {

class AdminSource : public backup::Source {
 public:
  explicit AdminSource(const AdminClient& client) : client_(client) {}

  absl::StatusOr<Begun> begin() override;
  absl::StatusOr<proto::BackupPortion> portion(uint64_t number) override;
  void end() override;

 private:
  const AdminClient& client_;
  std::string id_;  // of the backup under way
};

}  // namespace shoal::ctl
