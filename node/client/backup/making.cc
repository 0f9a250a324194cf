#include "node/client/backup/making.h"

#include <algorithm>
#include <map>
#include <utility>

namespace shoal::backup {
namespace {

absl::Status nonsense(const std::string& what) {
  return absl::DataLossError("what the node says makes no sense: " + what);
}

// "20261126T213005Z", as a name may have it.
std::string name_of_time(int64_t wall_ms) {
  std::string name;
  for (const char c : utc_text_of(wall_ms)) {
    if (c != '-' && c != ':') name += c;
  }
  return name;
}

class Making {
 public:
  Making(Source& source, Target& target, Progress& progress)
      : source_(source), target_(target), progress_(progress) {}

  absl::StatusOr<Made> run(const std::string& name);

 private:
  absl::Status begin(const std::string& name);
  absl::Status check_name_is_free() const;
  absl::Status list_chunks(std::map<std::string, uint64_t>& sizes) const;
  absl::Status read_all();
  absl::Status take(const proto::BackupPortion& portion);
  absl::Status take_shard(const proto::BackupPortion& portion);
  absl::Status take_pair(const std::string& key, const std::string& value);
  absl::Status store(const std::string& contents);
  absl::Status finish_part();
  absl::Status finish();

  Source& source_;
  Target& target_;
  Progress& progress_;
  Made made_;
  std::map<std::string, uint64_t> there_;  // chunks, and their sizes
  // The part that is under way.
  ChunkCutter cutter_;
  Part part_;
  uint64_t chunk_keys_ = 0;  // of the chunk that is not full yet
  std::string last_key_;
  bool is_end_ = false;
};

absl::StatusOr<Made> Making::run(const std::string& name) {
  if (absl::Status begun = begin(name); !begun.ok()) return begun;
  absl::Status status = read_all();
  // The manifest may take its time: nothing is held for it.
  source_.end();
  if (status.ok()) status = finish();
  if (!status.ok()) return status;
  return std::move(made_);
}

absl::Status Making::begin(const std::string& name) {
  if (!name.empty()) {
    made_.manifest.name = name;
    if (absl::Status is_free = check_name_is_free(); !is_free.ok()) return is_free;
  }
  if (absl::Status listed = list_chunks(there_); !listed.ok()) return listed;
  absl::StatusOr<Source::Begun> begun = source_.begin();
  if (!begun.ok()) return begun.status();
  made_.manifest = std::move(begun->of);
  made_.manifest.name = name.empty() ? name_of_time(made_.manifest.wall_ms) : name;
  progress_.begin(begun->bytes);
  if (!name.empty()) return absl::OkStatus();
  absl::Status is_free = check_name_is_free();
  if (!is_free.ok()) source_.end();
  return is_free;
}

absl::Status Making::check_name_is_free() const {
  const auto there = target_.get(manifest_name(made_.manifest.name));
  if (!there.ok()) return there.status();
  if (!*there) return absl::OkStatus();
  return absl::AlreadyExistsError(target_.text() + ": there is a backup " + made_.manifest.name +
                                  " already");
}

absl::Status Making::list_chunks(std::map<std::string, uint64_t>& sizes) const {
  auto objects = target_.list("chunks/");
  if (!objects.ok()) return objects.status();
  for (StoredObject& each : *objects) sizes.emplace(std::move(each.name), each.size);
  return absl::OkStatus();
}

absl::Status Making::read_all() {
  for (uint64_t number = 1; !is_end_; ++number) {
    const auto portion = source_.portion(number);
    if (!portion.ok()) return portion.status();
    if (absl::Status taken = take(*portion); !taken.ok()) return taken;
  }
  return absl::OkStatus();
}

absl::Status Making::take(const proto::BackupPortion& portion) {
  progress_.add(portion.ByteSizeLong());
  const bool is_of_shard = portion.keys_size() != 0 || portion.shard_done();
  if (is_of_shard) {
    if (absl::Status taken = take_shard(portion); !taken.ok()) return taken;
  }
  Manifest& manifest = made_.manifest;
  const bool are_shards_done = manifest.parts.size() == manifest.shards;
  if ((portion.retained_size() != 0 || portion.end()) && !are_shards_done) {
    return nonsense("shard " + std::to_string(manifest.parts.size()) + " did not come");
  }
  for (const auto& each : portion.retained()) {
    if (absl::Status taken = take_pair(each.topic(), each.record()); !taken.ok()) return taken;
  }
  is_end_ = portion.end();
  if (!is_end_) return absl::OkStatus();
  if (absl::Status done = finish_part(); !done.ok()) return done;
  manifest.retained = std::move(part_);
  return absl::OkStatus();
}

absl::Status Making::take_shard(const proto::BackupPortion& portion) {
  Manifest& manifest = made_.manifest;
  const std::string shard = "shard " + std::to_string(portion.shard());
  if (portion.shard() != manifest.parts.size() || portion.shard() >= manifest.shards) {
    return nonsense(shard + " comes after " + std::to_string(manifest.parts.size()) + " shards");
  }
  if (portion.keys_size() != portion.values_size()) return nonsense(shard + ": a value is missing");
  const bool is_first = part_.keys == 0 && part_.term == 0;
  if (is_first) {
    part_.index = portion.index();
    part_.term = portion.term();
  }
  if (part_.index != portion.index() || part_.term != portion.term()) {
    return nonsense(shard + " is not as of one entry of its log");
  }
  for (int i = 0; i < portion.keys_size(); ++i) {
    if (portion.keys(i) <= last_key_) return nonsense(shard + ": keys do not ascend");
    last_key_ = portion.keys(i);
    absl::Status taken = take_pair(portion.keys(i), portion.values(i));
    if (!taken.ok()) return taken;
  }
  if (!portion.shard_done()) return absl::OkStatus();
  if (absl::Status done = finish_part(); !done.ok()) return done;
  manifest.parts.push_back(std::exchange(part_, {}));
  return absl::OkStatus();
}

absl::Status Making::take_pair(const std::string& key, const std::string& value) {
  if (key.empty()) return nonsense("a key is empty");
  ++part_.keys;
  ++chunk_keys_;
  return store(cutter_.add(key, value));
}

// Nothing, as long as the chunk is not full.
absl::Status Making::store(const std::string& contents) {
  if (contents.empty()) return absl::OkStatus();
  ChunkRef ref{
      .hash = hash_of(contents), .bytes = contents.size(), .keys = std::exchange(chunk_keys_, 0)};
  const std::string name = chunk_name(ref.hash);
  const auto known = there_.find(name);
  if (known == there_.end()) {
    const std::string chunk = chunk_of(contents);
    if (absl::Status put = target_.put(name, chunk); !put.ok()) return put;
    ref.stored = chunk.size();
    there_.emplace(name, ref.stored);
    ++made_.new_chunks;
    made_.new_bytes += ref.bytes;
    made_.new_stored += ref.stored;
  } else {
    ref.stored = known->second;
  }
  ++made_.chunks;
  part_.bytes += ref.bytes;
  part_.chunks.push_back(std::move(ref));
  return absl::OkStatus();
}

absl::Status Making::finish_part() {
  last_key_.clear();
  return store(cutter_.finish());
}

// Somebody may have removed a backup, and with it chunks that were there when this one began.
absl::Status Making::finish() {
  std::map<std::string, uint64_t> there;
  if (absl::Status listed = list_chunks(there); !listed.ok()) return listed;
  std::vector<const Part*> parts = {&made_.manifest.retained};
  for (const Part& part : made_.manifest.parts) parts.push_back(&part);
  for (const Part* const part : parts) {
    for (const ChunkRef& each : part->chunks) {
      if (there.contains(chunk_name(each.hash))) continue;
      return absl::AbortedError(target_.text() + ": " + chunk_name(each.hash) +
                                " was removed while the backup was made; make it again");
    }
  }
  return target_.put(manifest_name(made_.manifest.name), text_of(made_.manifest));
}

}  // namespace

absl::StatusOr<Made> make_backup(Source& source, Target& target, const std::string& name,
                                 Progress& progress) {
  return Making(source, target, progress).run(name);
}

}  // namespace shoal::backup
