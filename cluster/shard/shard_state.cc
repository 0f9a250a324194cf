#include "cluster/shard/shard_state.h"

#include "cluster/shard/shard_core.h"
#include "cluster/shard/shard_disk.h"

namespace shoal::shard {
namespace {

// The sum stands in it, so it cannot be part of the sum.
uint64_t hash_of_meta(MetaRecord meta) {
  meta.hash = 0;
  std::string bytes;
  append_record(meta, bytes);
  return hash_of("", bytes);
}

}  // namespace

ShardLimits ShardState::default_limits() {
  ShardLimits limits;
  limits.queued_max = 10'000;
  limits.queued_bytes_max = uint64_t{64} * 1024 * 1024;
  return limits;
}

ShardState::ShardState(const Options& options, KeyValues& values)
    : core_(std::make_unique<Core>(options, values)) {}

ShardState::~ShardState() = default;

Applied ShardState::apply(uint64_t index, std::string_view entry, Effects& effects) {
  return core_->apply(index, entry, effects);
}

uint64_t ShardState::applied() const { return core_->meta.applied; }
uint64_t ShardState::hash() const { return core_->tables.hash() + hash_of_meta(core_->meta); }
const MetaRecord& ShardState::meta() const { return core_->meta; }
uint64_t ShardState::next_due() const { return core_->next_due; }

uint64_t ShardState::hash_anew() const {
  const std::string meta_key = core_->shard_key(KeyKind::kMeta);
  uint64_t sum = 0;
  core_->tables.values().scan("", "", [&](std::string_view key, std::string_view value) {
    if (key != meta_key) sum += hash_of(key, value);
    return true;
  });
  MetaRecord stored;
  const bool is_stored = core_->tables.get(meta_key, stored);
  return sum + hash_of_meta(is_stored ? stored : core_->meta);
}

StatePortion read_portion(const KeyValues& values, std::string_view after, size_t bytes_max) {
  StatePortion portion;
  portion.done = true;
  size_t bytes = 0;
  // The least text behind `after` is one with a zero byte more.
  const std::string begin = after.empty() ? std::string() : std::string(after) + '\0';
  values.scan(begin, "", [&](std::string_view key, std::string_view value) {
    const size_t size = key.size() + value.size();
    portion.done = portion.items.empty() || bytes + size <= bytes_max;
    if (!portion.done) return false;
    bytes += size;
    portion.items.emplace_back(key, value);
    return true;
  });
  return portion;
}

}  // namespace shoal::shard
