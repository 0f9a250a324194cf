#include "tests/replica/backups.h"

#include <algorithm>
#include <utility>

#include "cluster/shard/keys.h"
#include "cluster/shard/shard_state.h"

namespace shoal::replica::test {
namespace {

constexpr uint64_t kRestoredMax = 3;  // of one run: each is a run of its own
constexpr uint64_t kRestoredId = 1'000;
constexpr Duration kStep = Duration::millis(2);
constexpr Duration kBusy = Duration::millis(600);
constexpr int kRestoredSecondsMax = 120;

bool has_all(const std::map<std::string, std::set<std::string>>& seen, const std::string& id,
             const std::string& payload) {
  const auto it = seen.find(id);
  return it != seen.end() && it->second.contains(payload);
}

}  // namespace

void Backups::run() { later(); }

void Backups::later() {
  cluster_.world().after(kStep, [this] {
    step();
    if (restored_ < kRestoredMax) later();
  });
}

void Backups::step() {
  if (!taking_) {
    if (cluster_.world().random().one_in(200)) begin();
    return;
  }
  const bool is_same =
      cluster_.is_up(taking_->node) && cluster_.incarnation(taking_->node) == taking_->incarnation;
  if (!is_same) return taking_.reset();
  go_on();
}

void Backups::begin() {
  const auto node =
      static_cast<int>(cluster_.world().random().below(static_cast<uint64_t>(cluster_.nodes())));
  if (!cluster_.is_up(node) || !cluster_.may_publish(node)) return;
  taking_ = std::make_unique<Taking>(Taking{.node = node,
                                            .incarnation = cluster_.incarnation(node),
                                            .readers = devices_.readers(),
                                            .plain = devices_.promises().plain(),
                                            .group = devices_.promises().group()});
  cluster_.on_hub(node, [this, node] { cluster_.store(node).begin_backup(cluster_.now()); });
}

void Backups::go_on() {
  const BackupCut* const cut = cluster_.store(taking_->node).backup();
  if (cut == nullptr || cut->state() == BackupCut::State::kTaking) return;
  if (cut->state() == BackupCut::State::kLost) return taking_.reset();
  if (!std::exchange(taking_->is_made, true)) {
    for (const Reader& each : devices_.readers()) taking_->seen[each.id] = each.seen;
  }
  if (!cut->is_all_given()) {
    return cluster_.on_hub(taking_->node, [this, taking = taking_.get()] {
      if (taking_.get() == taking) read();
    });
  }
  cluster_.on_hub(taking_->node, [this, node = taking_->node] {
    cluster_.store(node).end_backup(cluster_.now());
  });
  restore();
  taking_.reset();
}

void Backups::read() {
  BackupCut* const cut = cluster_.store(taking_->node).backup();
  if (cut == nullptr) return;
  if (const auto portion = cut->take()) add(*portion);
  cut->ask_next(cluster_.now());
}

void Backups::add(const proto::BackupPortion& portion) {
  Part& part = taking_->parts[portion.shard()];
  if (part.is_whole) violate("a portion behind the last one of its shard");
  part.index = portion.index();
  part.term = portion.term();
  for (int i = 0; i < portion.keys_size(); ++i) {
    part.values.put(portion.keys(i), portion.values(i));
  }
  part.is_whole = portion.shard_done();
}

// ---- a cluster of it ----------------------------------------------------------------------------

void Backups::restore() {
  ++restored_;
  check_marks();
  const StoreCluster::Options& options = cluster_.options();
  StoreCluster other({.seed = cluster_.world().random().next(),
                      .nodes = 1,
                      .shards = options.shards,
                      .workers = options.workers,
                      .first_id = kRestoredId});
  for (const auto& [shard, part] : taking_->parts) {
    other.restore(shard, part.index, part.term, part.values);
  }
  Devices::Before before = devices_.now();
  before.publishers = "new";
  Devices devices(other, before);
  other.start(0);
  std::vector<NodeId> gone;
  for (int node = 0; node < cluster_.nodes(); ++node) gone.push_back(options.id_of(node));
  other.forget_nodes(gone);
  devices.run();
  other.world().run_until(Instant{} + kBusy);
  devices.quiet();
  bool is_settled = false;
  for (int i = 0; i < kRestoredSecondsMax && !is_settled; ++i) {
    other.world().run_until(other.world().now() + Duration::seconds(1));
    is_settled = other.is_settled() && devices.is_settled();
  }
  devices.check();
  other.check_replicas();
  for (const std::string& each : other.violations) violate(each);
  check_readers(devices);
  check_group(devices);
}

// Nothing has come to a shard from another that has not sent it, as that would take what it sends next
// for what was there.
void Backups::check_marks() {
  std::map<uint32_t, uint64_t> last;
  for (const auto& [shard, part] : taking_->parts) {
    shard::MemoryKeyValues values = part.values;
    last[shard] = shard::ShardState({}, values).meta().last_outbox;
  }
  for (const auto& [shard, part] : taking_->parts) {
    part.values.scan("", "", [&](std::string_view key, std::string_view value) {
      shard::KeyParts parts(key);
      const auto source = static_cast<uint32_t>(parts.number());
      uint64_t number = 0;
      if (parts.kind() == shard::KeyKind::kOutboxMark) {
        shard::OutboxMark mark;
        (void)shard::read_record(value, mark);
        number = mark.number;
      } else if (parts.kind() == shard::KeyKind::kPickedItem) {
        number = parts.number();
      }
      if (number > last[source]) {
        violate("shard " + std::to_string(shard) + " has item " + std::to_string(number) +
                " of shard " + std::to_string(source) + ", whose last is " +
                std::to_string(last[source]));
      }
      return true;
    });
  }
}

void Backups::check_readers(const Devices& restored) {
  const std::vector<Reader> after = restored.readers();
  for (const Reader& before : taking_->readers) {
    const auto reader = std::find_if(after.begin(), after.end(),
                                     [&](const Reader& each) { return each.id == before.id; });
    if (before.shares || !before.wants()) continue;
    for (const std::string& payload : taking_->plain) {
      if (Promises::number_of(payload) < before.first || reader->seen.contains(payload)) continue;
      if (!has_all(taking_->seen, before.id, payload)) violate(before.id + " misses " + payload);
    }
    for (const std::string& payload : before.seen) {
      if (reader->fresh.contains(payload)) violate(before.id + " gets " + payload + " once more");
    }
  }
}

void Backups::check_group(const Devices& restored) {
  uint64_t first = UINT64_MAX;
  std::set<std::string> had, fresh, had_before;
  for (const Reader& each : taking_->readers) {
    if (!each.shares) continue;
    first = std::min(first, each.first);
    had_before.insert(each.seen.begin(), each.seen.end());
    const std::set<std::string>& seen = taking_->seen[each.id];
    had.insert(seen.begin(), seen.end());
  }
  for (const Reader& each : restored.readers()) {
    if (!each.shares) continue;
    had.insert(each.seen.begin(), each.seen.end());
    fresh.insert(each.fresh.begin(), each.fresh.end());
  }
  for (const std::string& payload : taking_->group) {
    if (Promises::number_of(payload) >= first && !had.contains(payload)) {
      violate("no member gets " + payload);
    }
  }
  for (const std::string& payload : had_before) {
    if (fresh.contains(payload)) violate("a member gets " + payload + " once more");
  }
}

}  // namespace shoal::replica::test
