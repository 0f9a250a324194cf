#include "node/restore/restore.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <random>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/core/stored_state.h"
#include "cluster/engine/restoring.h"
#include "node/client/backup/keeping.h"
#include "node/runtime/data_dir.h"
#include "node/serve/hex.h"
#include "node/serve/state_file.h"
#include "node/serve/state_writer.h"
#include "shoal/protocol.h"

namespace shoal {
namespace {

namespace fs = std::filesystem;

// A fresh file system has it, and it is no node's.
constexpr char kLostAndFound[] = "lost+found";

uint64_t random_id() {
  std::random_device random;
  return std::max<uint64_t>(1, uint64_t{random()} << 32 | random());
}

std::vector<fs::path> entries_of(const std::string& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename() != kLostAndFound) entries.push_back(at->path());
  }
  return entries;
}

class Restore {
 public:
  Restore(backup::Target& target, const backup::Manifest& manifest, const RestoreOptions& options,
          backup::Progress& progress)
      : target_(target), manifest_(manifest), options_(options), progress_(progress) {}

  absl::StatusOr<Restored> run();

 private:
  absl::Status write(const DataDir& directory);
  absl::Status write_stores(const DataDir& directory);
  StoredState state() const;

  backup::Target& target_;
  const backup::Manifest& manifest_;
  const RestoreOptions& options_;
  backup::Progress& progress_;
  NodeId self_;
  ClusterId cluster_;
};

absl::StatusOr<Restored> Restore::run() {
  std::error_code error;
  const bool was_there = fs::exists(options_.data_dir, error);
  if (!entries_of(options_.data_dir).empty()) {
    return absl::FailedPreconditionError(
        options_.data_dir +
        ": is not empty: a restore makes a node, and changes none that is there");
  }
  auto opened = DataDir::open(options_.data_dir);
  if (auto* const why = std::get_if<std::string>(&opened)) return absl::UnavailableError(*why);
  const DataDir& directory = std::get<DataDir>(opened);
  do {
    self_.value = random_id();
  } while (std::any_of(manifest_.members.begin(), manifest_.members.end(),
                       [this](const auto& each) { return each.id == self_.value; }));
  cluster_ = {random_id(), random_id()};
  const absl::Status written = write(directory);
  if (written.ok()) return Restored{hex(cluster_.high) + hex(cluster_.low), hex(self_.value)};
  for (const fs::path& each : entries_of(options_.data_dir)) fs::remove_all(each, error);
  if (!was_there) fs::remove(options_.data_dir, error);
  return written;
}

// A node does not start as long as the mark is there: the state makes a whole of what was written before.
absl::Status Restore::write(const DataDir& directory) {
  const auto check = [](const std::optional<std::string>& wrong) {
    return wrong ? absl::UnavailableError(*wrong) : absl::OkStatus();
  };
  absl::Status done = check(directory.replace(StateWriter::kRestoringFile, manifest_.name + "\n"));
  if (done.ok()) done = write_stores(directory);
  if (done.ok()) done = check(directory.replace(StateWriter::kFile, state_text_of(state())));
  if (done.ok()) done = check(directory.remove(StateWriter::kRestoringFile));
  return done;
}

absl::Status Restore::write_stores(const DataDir& directory) {
  auto begun = engine::Restoring::begin(directory.path(), self_, manifest_.shards, manifest_.seed);
  if (!begun.ok()) return begun.status();
  engine::Restoring& stores = **begun;
  progress_.begin(manifest_.bytes());
  for (size_t shard = 0; shard < manifest_.parts.size(); ++shard) {
    const backup::Part& part = manifest_.parts[shard];
    absl::Status done = backup::read_part(
        target_, part, backup::shard_text(shard), progress_,
        [&](std::string_view key, std::string_view value) { return stores.add(key, value); });
    if (done.ok()) done = stores.finish_shard(part.index, part.term);
    if (!done.ok()) return done;
  }
  absl::Status done =
      backup::read_part(target_, manifest_.retained, backup::kRetainedText, progress_,
                        [&](std::string_view key, std::string_view value) {
                          return stores.add_retained(key, value);
                        });
  if (done.ok()) done = stores.finish(manifest_.wall_ms);
  return done;
}

// The members of before are gone for good: what was attached to them is detached. This one's name and
// address are what it is started with, as of each start (incarnation).
StoredState Restore::state() const {
  StoredState state;
  state.id = self_;
  state.cluster = cluster_;
  state.members.push_back({.id = self_});
  for (const backup::BackupMember& each : manifest_.members) {
    const Life last{each.incarnation, std::numeric_limits<uint32_t>::max()};
    state.members.push_back(
        {.id = {each.id}, .name = each.name, .life = last, .given_up = last, .left = true});
  }
  std::sort(state.members.begin(), state.members.end(),
            [](const StoredMember& a, const StoredMember& b) { return a.id < b.id; });
  state.store = {.shards = manifest_.shards,
                 .replicas = options_.replicas != 0 ? options_.replicas : manifest_.replicas,
                 .founders = {self_},
                 .seed = manifest_.seed};
  state.has_store = true;
  // A node that knows no seed would look for sessions in other shards.
  state.level = kProtocolMax;
  return state;
}

}  // namespace

absl::StatusOr<Restored> restore(backup::Target& target, const backup::Manifest& manifest,
                                 const RestoreOptions& options, backup::Progress& progress) {
  return Restore(target, manifest, options, progress).run();
}

}  // namespace shoal
