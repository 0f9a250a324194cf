// A backup becomes the data directory of the first node of a new cluster. Nothing runs meanwhile.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "node/client/backup/manifest.h"
#include "node/client/backup/progress.h"
#include "node/client/backup/target.h"

namespace shoal {

struct RestoreOptions {
  std::string data_dir;   // is made, or is empty
  uint32_t replicas = 0;  // of each shard; 0: as many as the backup's cluster wanted
};

struct Restored {
  std::string cluster;  // the new one's id
  std::string node;     // and the node's
};

// On an error the directory is as it was.
absl::StatusOr<Restored> restore(backup::Target& target, const backup::Manifest& manifest,
                                 const RestoreOptions& options, backup::Progress& progress);

}  // namespace shoal
