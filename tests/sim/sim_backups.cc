#include "tests/sim/sim_backups.h"

#include <utility>

#include "cluster/shard/keys.h"

namespace shoal::sim {
namespace {

constexpr char kEnded[] = "ended";  // what is answered to the end of the one before

}  // namespace

void SimBackups::begin(SimNode& node) {
  node_ = &node;
  life_ = node.life();
  id_ = number_ = 0;
  parts_.clear();
  done_.clear();
  retained_.clear();
  node.command(BeginBackupCommand{});
}

void SimBackups::on_answer(const SimNode& node, const HubEffects::Answer& answer) {
  if (node_ != &node || !is_going_on() || answer.text == kEnded) return;
  if (!answer.ok) {  // another leads, a node is gone
    if (id_ != 0) node_->command(EndBackupCommand{id_});
    node_ = nullptr;
  } else if (id_ == 0) {
    id_ = std::stoull(answer.text, nullptr, 16);
    const std::optional<BackupStatus> backup = node_->hub().backup();
    if (backup) seed_ = backup->seed;  // or it is lost at once, as its first portion will say
    ask_next();
  } else {
    add(answer.text);
  }
}

void SimBackups::ask_next() { node_->command(ReadBackupCommand{id_, ++number_}); }

void SimBackups::add(const std::string& bytes) {
  proto::BackupPortion portion;
  if (!portion.ParseFromString(bytes)) return violate_("a backup's portion that cannot be read");
  if (portion.index() != 0) {
    if (done_.contains(portion.shard())) violate_("a backup's portion behind its shard's last");
    shard::MemoryKeyValues& part = parts_[portion.shard()];
    for (int i = 0; i < portion.keys_size(); ++i) part.put(portion.keys(i), portion.values(i));
    if (portion.shard_done()) done_.insert(portion.shard());
  }
  for (const auto& each : portion.retained()) {
    if (!retained_.insert(each.topic()).second) violate_("a retained message twice in a backup");
  }
  if (!portion.end()) return ask_next();
  check();
  node_->command(EndBackupCommand{id_});
  node_ = nullptr;
}

void SimBackups::check() {
  ++whole_;
  if (done_.size() != shards_) return violate_("a backup without some shard");
  std::map<uint32_t, uint64_t> last;
  for (auto& [shard, part] : parts_) {
    const shard::ShardState state({.cluster_seed = seed_}, part);
    state.check_invariants();
    if (state.hash() != state.hash_anew()) violate_("a backup whose shard is no state of it");
    last[shard] = state.meta().last_outbox;
  }
  check_marks(last);
}

void SimBackups::check_marks(const std::map<uint32_t, uint64_t>& last) {
  for (const auto& [shard, part] : parts_) {
    part.scan("", "", [&](std::string_view key, std::string_view value) {
      shard::KeyParts parts(key);
      const bool is_mark = parts.kind() == shard::KeyKind::kOutboxMark;
      const bool is_picked = parts.kind() == shard::KeyKind::kPickedItem;
      if (!is_mark && !is_picked) return true;
      const auto source = static_cast<uint32_t>(parts.number());
      shard::OutboxMark mark;
      if (is_mark) (void)shard::read_record(value, mark);
      const uint64_t number = is_mark ? mark.number : parts.number();
      if (number > last.at(source)) violate_("a backup with an item that its shard has not sent");
      return true;
    });
  }
}

}  // namespace shoal::sim
