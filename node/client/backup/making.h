// A backup is made: portions of a node become chunks of a target, and a manifest at the end.
#pragma once

#include <string>

#include "node/client/backup/chunk.h"
#include "node/client/backup/progress.h"
#include "node/client/backup/source.h"
#include "node/client/backup/target.h"

namespace shoal::backup {

struct Made {
  Manifest manifest;
  uint64_t chunks = 0;
  uint64_t new_chunks = 0;  // that were not there yet
  uint64_t new_bytes = 0;   // of their contents,
  uint64_t new_stored = 0;  // and as they stand in the target
};

// `name` empty: the time of the cut. Nothing of the target counts unless it is done.
absl::StatusOr<Made> make_backup(Source& source, Target& target, const std::string& name,
                                 Progress& progress);

}  // namespace shoal::backup
