#include "node/client/backup/keeping.h"

#include <set>
#include <utility>

#include "node/client/backup/chunk.h"

namespace shoal::backup {
namespace {

// A part as it is read, chunk by chunk.
class PartReader {
 public:
  PartReader(Target& target, std::string_view what) : target_(target), what_(what) {}

  // Its contents, checked.
  absl::StatusOr<std::string> read(const ChunkRef& chunk);

 private:
  absl::Status wrong(const ChunkRef& chunk, const std::string& what) const {
    return absl::DataLossError(target_.text() + ": " + chunk_name(chunk.hash) + " of " + what_ +
                               " " + what);
  }

  Target& target_;
  const std::string what_;
  std::string last_;
};

absl::StatusOr<std::string> PartReader::read(const ChunkRef& chunk) {
  const auto stored = target_.get(chunk_name(chunk.hash));
  if (!stored.ok()) return stored.status();
  if (!*stored) return wrong(chunk, "is missing");
  absl::StatusOr<std::string> contents = contents_of(**stored, chunk.bytes);
  if (!contents.ok()) return wrong(chunk, std::string(contents.status().message()));
  if (hash_of(*contents) != chunk.hash) return wrong(chunk, "is damaged");
  uint64_t keys = 0;
  bool ascends = true;
  const bool is_whole = visit_contents(*contents, [&](std::string_view key, std::string_view) {
    ascends = ascends && key > last_;
    last_ = key;
    ++keys;
  });
  if (!is_whole || keys != chunk.keys) return wrong(chunk, "does not hold what it should");
  if (!ascends && what_ != kRetainedText) return wrong(chunk, "has keys that do not ascend");
  return contents;
}

absl::Status check_sums(const Part& part, std::string_view what) {
  uint64_t keys = 0, bytes = 0;
  for (const ChunkRef& chunk : part.chunks) {
    keys += chunk.keys;
    bytes += chunk.bytes;
  }
  if (keys == part.keys && bytes == part.bytes) return absl::OkStatus();
  return absl::DataLossError("the manifest's counts of " + std::string(what) + " do not fit");
}

void verify_part(Target& target, const Part& part, std::string_view what, Progress& progress,
                 std::vector<std::string>& wrong) {
  const auto note = [&wrong](const absl::Status& status) {
    if (!status.ok()) wrong.emplace_back(status.message());
  };
  note(check_sums(part, what));
  PartReader reader(target, what);
  for (const ChunkRef& chunk : part.chunks) {
    note(reader.read(chunk).status());
    progress.add(chunk.bytes);
  }
}

}  // namespace

std::string shard_text(size_t shard) { return "shard " + std::to_string(shard); }

absl::Status read_part(Target& target, const Part& part, std::string_view what, Progress& progress,
                       const VisitPair& visit) {
  if (absl::Status sums = check_sums(part, what); !sums.ok()) return sums;
  PartReader reader(target, what);
  for (const ChunkRef& chunk : part.chunks) {
    const absl::StatusOr<std::string> contents = reader.read(chunk);
    if (!contents.ok()) return contents.status();
    absl::Status visited;
    visit_contents(*contents, [&](std::string_view key, std::string_view value) {
      if (visited.ok()) visited = visit(key, value);
    });
    if (!visited.ok()) return visited;
    progress.add(chunk.bytes);
  }
  return absl::OkStatus();
}

std::vector<std::string> verify(Target& target, const Manifest& manifest, Progress& progress) {
  std::vector<std::string> wrong;
  progress.begin(manifest.bytes());
  for (size_t shard = 0; shard < manifest.parts.size(); ++shard) {
    verify_part(target, manifest.parts[shard], shard_text(shard), progress, wrong);
  }
  verify_part(target, manifest.retained, kRetainedText, progress, wrong);
  return wrong;
}

absl::StatusOr<Removed> remove_backup(Target& target, const std::string& name) {
  const auto found = read_manifests(target);
  if (!found.ok()) return found.status();
  bool is_there = false;
  std::set<std::string> wanted;  // by the others
  for (const Found& each : *found) {
    is_there = is_there || each.name == name;
    if (each.name == name) continue;
    // Its chunks are not known: they must not go.
    if (!each.manifest.ok()) return each.manifest.status();
    const auto want = [&wanted](const Part& part) {
      for (const ChunkRef& chunk : part.chunks) wanted.insert(chunk_name(chunk.hash));
    };
    for (const Part& part : each.manifest->parts) want(part);
    want(each.manifest->retained);
  }
  if (!is_there) return absl::NotFoundError(target.text() + ": there is no backup " + name);
  if (absl::Status gone = target.remove(manifest_name(name)); !gone.ok()) return gone;
  const auto chunks = target.list("chunks/");
  if (!chunks.ok()) return chunks.status();
  Removed removed;
  for (const StoredObject& each : *chunks) {
    if (wanted.contains(each.name)) continue;
    if (absl::Status gone = target.remove(each.name); !gone.ok()) return gone;
    ++removed.chunks;
    removed.bytes += each.size;
  }
  return removed;
}

}  // namespace shoal::backup
