// `shoal ctl backup` and `restore`.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>

#include "node/client/backup/manifest.h"
#include "node/client/backup/progress.h"
#include "node/client/backup/target.h"
#include "node/client/ctl/ctl_options.h"

namespace shoal::ctl {

// Makes a data directory of a backup: whoever knows the node's disks does it. Of the answer the new
// cluster's id.
struct RestoreAsk {
  std::string data_dir;
  uint32_t replicas = 0;
};
using RestoreFunction = std::function<absl::StatusOr<std::string>(
    backup::Target&, const backup::Manifest&, const RestoreAsk&, backup::Progress&)>;

// The exit status.
int run_backup(const CtlOptions& options, const RestoreFunction& restore);

}  // namespace shoal::ctl
