#include <algorithm>

#include "cluster/shard/shard_core.h"
#include "node/rules/topic.h"
#include "shoal/mutation.h"

namespace shoal::shard {
namespace {
// So that the work of one entry is bounded; the rest is due with the next.
constexpr int kTimersPerEntry = 64;

bool is_sharing(const Op& op) {
  const auto* const subscribe = std::get_if<SubscribeOp>(&op);
  return subscribe &&
         std::any_of(subscribe->filters.begin(), subscribe->filters.end(),
                     [](const FilterSpec& each) { return parse_shared(each.filter).has_value(); });
}
}  // namespace

bool ShardState::Core::is_too_new(const Entry& entry) const {
  return std::any_of(entry.ops.begin(), entry.ops.end(), [](const EntryOp& op) {
    const FeatureOp* const feature = std::get_if<FeatureOp>(&op.op);
    return feature && feature->level > kFeatureLevel;
  });
}

Applied ShardState::Core::apply(uint64_t index, std::string_view bytes, Effects& out) {
  if (too_new) return Applied::kTooNew;
  if (index <= meta.applied) return Applied::kAlready;
  Entry entry;
  const Entry::Outcome read = read_entry(bytes, entry);
  too_new = read == Entry::Outcome::kTooNew || is_too_new(entry);
  if (too_new) return Applied::kTooNew;

  effects = &out;
  place = (index + meta.place_base) << kPositionBits;
  if (read == Entry::Outcome::kMalformed) {
    skip(SkipReason::kMalformed);
  } else {
    meta.stamp = std::max(meta.stamp, entry.stamp);
    fire_timers();
    for (const EntryOp& op : entry.ops) {
      ++place;
      apply_op(op);
    }
  }
  effects = nullptr;
  router.take_route_changes();  // `wanted` says it for a shard
  if (!next_due_known) find_next_due();
  meta.applied = index;
  meta.hash = tables.hash();
  tables.put_apart(shard_key(KeyKind::kMeta), meta);
  return Applied::kApplied;
}

void ShardState::Core::apply_op(const EntryOp& op) {
  source_number = op.source ? op.source->number : 0;
  if (!op.source) {
    run(op.op);
    return;
  }
  const uint64_t last = meta.last_outbox;
  Effects::Done done{*op.source, apply_numbered(op)};
  if (done.outcome != Effects::Outcome::kGap) drop_unused(op.op);
  if (is_sharing(op.op)) {
    // Of a repeat nobody knows which they were.
    if (done.outcome == Effects::Outcome::kApplied) done.outbox_first = last + 1;
    if (done.outcome == Effects::Outcome::kRepeat) done.outbox_first = 1;
    if (done.outbox_first != 0) done.outbox_last = meta.last_outbox;
  }
  effects->done.push_back(done);
}

// The numbers of a source are applied in order and once, whatever leaders they were submitted to.
Effects::Outcome ShardState::Core::apply_numbered(const EntryOp& op) {
  const Source& source = *op.source;
  const std::string key =
      shard_key(KeyKind::kSourceMark).number(source.node.value).byte(source.worker);
  SourceMark mark;
  tables.get(key, mark);
  if (source.incarnation < mark.incarnation) return skip(SkipReason::kOldLife);
  if (source.incarnation > mark.incarnation) mark = {source.incarnation, 0};
  const bool is_repeat = source.number <= mark.number;
  if (is_repeat && SHOAL_MUTATED("store-repeat-applied")) return run(op.op);
  if (is_repeat) return skip(SkipReason::kRepeat);
  if (source.number != mark.number + 1) return skip(SkipReason::kGap);
  if (lacks_pieces(numbered_message(op.op))) return skip(SkipReason::kGap);
  mark.number = source.number;
  tables.put(key, mark);
  return run(op.op);
}

Effects::Outcome ShardState::Core::run(const Op& op) {
  return std::visit([this](const auto& each) { return on(each); }, op);
}

Effects::Outcome ShardState::Core::skip(SkipReason reason) {
  count(meta.skips, kSkipReasons, static_cast<size_t>(reason));
  switch (reason) {
    case SkipReason::kMalformed: return Effects::Outcome::kMalformed;
    case SkipReason::kStaleEpoch: return Effects::Outcome::kStaleEpoch;
    case SkipReason::kNoSession: return Effects::Outcome::kNoSession;
    case SkipReason::kRepeat: return Effects::Outcome::kRepeat;
    case SkipReason::kGap: return Effects::Outcome::kGap;
    case SkipReason::kOldLife: return Effects::Outcome::kOldLife;
    case SkipReason::kNotWaited: return Effects::Outcome::kApplied;
  }
  return Effects::Outcome::kApplied;
}

Effects::Outcome ShardState::Core::on(const std::monostate&) {
  return skip(SkipReason::kMalformed);
}

Effects::Outcome ShardState::Core::on(const TickOp&) { return Effects::Outcome::kApplied; }

Effects::Outcome ShardState::Core::on(const LimitsOp& op) {
  meta.limits = op.limits;
  return Effects::Outcome::kApplied;
}

// It never falls: what was used stays understood.
Effects::Outcome ShardState::Core::on(const FeatureOp& op) {
  meta.level = std::max(meta.level, op.level);
  return Effects::Outcome::kApplied;
}

Effects::Outcome ShardState::Core::on(const RecoveredOp&) {
  meta.last_outbox += RecoveredOp::kRoom;
  meta.place_base += RecoveredOp::kRoom;
  return Effects::Outcome::kApplied;
}

Effects::Outcome ShardState::Core::on(const ForgetNodeOp& op) {
  tables.remove_prefix(shard_key(KeyKind::kSourceMark).number(op.node.value));
  const std::string uploads = shard_key(KeyKind::kUpload).number(op.node.value);
  drop_uploads(uploads, end_of_prefix(uploads));
  return Effects::Outcome::kApplied;
}

void ShardState::Core::fire_timers() {
  for (int left = kTimersPerEntry; left > 0 && next_due <= meta.stamp; --left) {
    std::string first;
    tables.scan_prefix(shard_key(KeyKind::kTimer), [&](std::string_view key, std::string_view) {
      first = key;
      return false;
    });
    fire_timer(first);
    find_next_due();
  }
}

void ShardState::Core::fire_timer(std::string_view key) {
  tables.remove(std::string(key));
  KeyParts parts(key);
  parts.number();  // when it was due
  if (static_cast<TimerKind>(parts.byte()) == TimerKind::kSession) on_session_timer(parts.rest());
}

}  // namespace shoal::shard
