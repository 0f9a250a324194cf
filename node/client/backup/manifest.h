// What a backup consists of. It is written last: without it there is no backup.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/client/backup/target.h"

namespace shoal::backup {

struct ChunkRef {
  std::string hash;     // of its contents
  uint64_t bytes = 0;   // of them
  uint64_t stored = 0;  // as it stands in the target
  uint64_t keys = 0;
  bool operator==(const ChunkRef&) const = default;
};

// A shard, or the retained messages.
struct Part {
  uint64_t index = 0;  // of the shard's log, as of which it is; its entry's term
  uint64_t term = 0;
  uint64_t keys = 0;
  uint64_t bytes = 0;  // of the chunks' contents
  std::vector<ChunkRef> chunks;
  bool operator==(const Part&) const = default;
};

struct BackupMember {
  uint64_t id = 0;
  std::string name;
  uint64_t incarnation = 0;
  bool operator==(const BackupMember&) const = default;
};

struct Manifest {
  std::string name;
  int64_t wall_ms = 0;  // of the cut
  std::string cluster;  // 32 hexadecimal digits
  uint64_t seed = 0;    // of the hashes that say which shard has a name
  uint32_t shards = 0;
  uint32_t replicas = 0;
  std::string software;
  uint32_t protocol = 0;
  std::vector<BackupMember> members;
  std::vector<Part> parts;  // of each shard
  Part retained;
  bool operator==(const Manifest&) const = default;

  uint64_t bytes() const;
  uint64_t keys() const;
};

// Letters, digits and -._ , at most 100, and no '.' in front.
bool is_backup_name(std::string_view name);
std::string manifest_name(const std::string& name);
// "2026-11-26T21:30:05Z"
std::string utc_text_of(int64_t wall_ms);

std::string text_of(const Manifest& manifest);
// Or why it is none.
absl::StatusOr<Manifest> manifest_of(std::string_view text);

// The error names the object.
absl::StatusOr<Manifest> read_manifest(Target& target, const std::string& name);
// All that are there, the oldest first. Of those that cannot be read only the name.
struct Found {
  std::string name;
  absl::StatusOr<Manifest> manifest;
};
absl::StatusOr<std::vector<Found>> read_manifests(Target& target);
// `name` empty: the newest.
absl::StatusOr<Manifest> find_manifest(Target& target, const std::string& name);

}  // namespace shoal::backup
