// Backups that are there: read, checked, removed.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "node/client/backup/manifest.h"
#include "node/client/backup/progress.h"
#include "node/client/backup/target.h"

namespace shoal::backup {

// Who reads the contents of a backup, chunk by chunk.
using VisitPair = std::function<absl::Status(std::string_view key, std::string_view value)>;

// All keys of a part in order, each chunk checked before anything of it is given. `what` is the part's
// name in errors: shard_text(3), or kRetainedText, whose topics have an order of their own.
constexpr std::string_view kRetainedText = "the retained messages";
std::string shard_text(size_t shard);
absl::Status read_part(Target& target, const Part& part, std::string_view what, Progress& progress,
                       const VisitPair& visit);

// Reads everything; what is wrong, each a line that names the part and the object. Empty: it is whole.
std::vector<std::string> verify(Target& target, const Manifest& manifest, Progress& progress);

struct Removed {
  uint64_t chunks = 0;
  uint64_t bytes = 0;
};
// The manifest, then all chunks that no other one names: also those that a backup left that was cut short.
absl::StatusOr<Removed> remove_backup(Target& target, const std::string& name);

}  // namespace shoal::backup
