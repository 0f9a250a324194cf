#include "cluster/replica/outbox_sender.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "cluster/replica/uploads.h"
#include "cluster/shard/forwarded.h"
#include "cluster/shard/slots.h"
#include "shoal/mutation.h"

namespace shoal::replica {
namespace {

constexpr size_t kItemsMax = 512;  // read and not done
constexpr int kAgainTicks = 20;    // a second

// Live sessions get it whole; null: it is in one piece.
SharedBytes joined(const shard::ShardState& state, const shard::OutboxMessage& item) {
  if (!item.message->pieces) return nullptr;
  const shard::Pieces& pieces = *item.message->pieces;
  const std::shared_ptr<uint8_t[]> out(new uint8_t[pieces.bytes]);
  for (uint64_t at = 0; at < pieces.bytes; at += pieces.each) {
    const std::string piece = state.piece(item.record.body, at);
    std::copy_n(piece.begin(), std::min<uint64_t>(piece.size(), pieces.bytes - at),
                reinterpret_cast<char*>(out.get()) + at);
  }
  return out;
}

}  // namespace

void OutboxSender::clear() {
  read_to_ = 0;
  items_.clear();
  done_.clear();
  targets_.clear();
}

void OutboxSender::on_targets(uint64_t number, uint64_t shards) {
  const auto it = items_.find(number);
  if (it == items_.end() || it->second.is_known) return;
  Item& item = it->second;
  item.is_known = true;
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    if (shards >> shard & 1) item.targets.insert(shard);
  }
  item.waiting = item.targets;
}

void OutboxSender::on_published(uint64_t number) {
  const auto it = items_.find(number);
  if (it != items_.end()) it->second.is_published = true;
}

void OutboxSender::on_answer(uint32_t from, const Answer& answer) {
  Target& target = targets_[from];
  target.ticks = 0;
  if (answer.received) return on_received(target, answer);
  if (!answer.accepted) {
    target.again = true;
    return;
  }
  target.unanswered.erase(answer.number);
  const auto it = items_.find(answer.number);
  if (it != items_.end()) it->second.waiting.erase(from);
}

void OutboxSender::on_received(Target& target, const Answer& answer) {
  if (target.next.empty() || target.next.front() != answer.number) return;
  target.there = answer.accepted ? std::max(target.there, *answer.received) : *answer.received;
  if (!answer.accepted) target.again = true;
  target.given = std::max(target.given, target.there);
}

void OutboxSender::on_shard_leader(uint32_t shard) { targets_[shard].again = true; }

void OutboxSender::on_tick() {
  for (auto& [shard, target] : targets_) {
    const bool waits = !target.unanswered.empty() || target.given != 0;
    if (!waits) target.ticks = 0;
    if (waits && ++target.ticks >= kAgainTicks) target.again = true;
  }
}

bool OutboxSender::has_membership(uint64_t first, uint64_t last) const {
  if (read_to_ < last) return true;  // some may be among what was not read
  for (auto it = items_.lower_bound(first); it != items_.end() && it->first <= last; ++it) {
    if (it->second.is_membership) return true;
  }
  return false;
}

OutboxSender::Pumped OutboxSender::pump(const shard::ShardState& state, ServerEffects& out,
                                        bool reads) {
  Pumped pumped;
  if (reads) read(state, out, pumped);
  for (auto& [shard, target] : targets_) {
    if (std::exchange(target.again, false)) take_back(target);
  }
  for (auto& [number, item] : items_) {
    if (!item.is_known && SHOAL_MUTATED("store-targets-out-of-order")) continue;
    if (!item.is_known) break;
    if (item.is_sent) continue;
    item.is_sent = true;
    for (const uint32_t shard : item.targets) targets_[shard].next.push_back(number);
  }
  for (auto& [shard, target] : targets_) send_next(state, shard, target, out);
  for (auto it = items_.begin(); it != items_.end();) {
    const Item& item = it->second;
    const bool is_answered = item.waiting.empty() || SHOAL_MUTATED("store-outbox-not-answered");
    const bool is_done = item.is_sent && item.is_published && is_answered;
    if (is_done) pumped.done.push_back(it->first);
    if (is_done) done_.insert(it->first);
    it = is_done ? items_.erase(it) : std::next(it);
  }
  return pumped;
}

// The lowest number that another leader may send again.
uint64_t OutboxSender::least(const shard::ShardState& state) {
  while (!done_.empty() && !state.is_in_outbox(*done_.begin())) done_.erase(done_.begin());
  uint64_t least = read_to_ + 1;
  if (!done_.empty()) least = std::min(least, *done_.begin());
  if (!items_.empty()) least = std::min(least, items_.begin()->first);
  return least;
}

void OutboxSender::read(const shard::ShardState& state, ServerEffects& out, Pumped& pumped) {
  if (read_to_ >= state.meta().last_outbox || items_.size() >= kItemsMax) return;
  std::vector<shard::OutboxMessage> found =
      state.outbox(read_to_, {.items = kItemsMax - items_.size()});
  if (found.empty()) read_to_ = state.meta().last_outbox;
  const uint64_t least = this->least(state);
  for (shard::OutboxMessage& each : found) {
    read_to_ = each.number;
    Item& item = items_[each.number];
    if (each.record.kind == shard::OutboxKind::kMessage) {
      SharedBytes payload = joined(state, each);
      out.publishes.push_back({each.number, least, std::move(*each.message), std::move(payload),
                               each.record.is_will, std::move(each.record.group),
                               std::move(each.record.picks)});
      continue;
    }
    const bool is_membership = each.record.kind == shard::OutboxKind::kMembership;
    item.is_membership = is_membership;
    if (is_membership) pumped.members.push_back(each.record.client_id);
    const bool is_for_member = each.record.kind == shard::OutboxKind::kDelivery;
    const std::string& name = is_for_member ? each.record.client_id : each.record.group;
    const uint32_t target = shard::shard_of(name, cluster_seed_, shards_);
    item.is_known = item.is_published = true;
    item.targets = item.waiting = {target};
  }
}

// What it has not answered goes out again. The pieces that it has stay.
void OutboxSender::take_back(Target& target) {
  target.ticks = 0;
  if (!target.unanswered.empty()) target.there = 0;
  target.given = target.there;
  target.next.insert(target.next.begin(), target.unanswered.begin(), target.unanswered.end());
  target.unanswered.clear();
}

void OutboxSender::send_next(const shard::ShardState& state, uint32_t shard, Target& target,
                             ServerEffects& out) {
  while (!target.next.empty()) {
    const uint64_t number = target.next.front();
    const auto item = items_.find(number);
    // It may have answered what an earlier leader had sent.
    const bool waits = item != items_.end() && item->second.waiting.contains(shard);
    std::vector<shard::OutboxMessage> found;
    if (waits) found = state.outbox(number - 1, {.items = 1});
    if (!found.empty() && found[0].number == number) {
      if (!send_pieces(state, found[0], shard, target, out)) return;
      send(found[0], shard, target.unanswered.empty() ? 0 : *target.unanswered.rbegin(), out);
      target.unanswered.insert(number);
    }
    target.next.pop_front();
    target.there = target.given = 0;
  }
}

bool OutboxSender::send_pieces(const shard::ShardState& state, const shard::OutboxMessage& item,
                               uint32_t shard, Target& target, ServerEffects& out) {
  if (!item.message || !item.message->pieces) return true;
  const shard::Pieces& pieces = *item.message->pieces;
  while (target.given < pieces.bytes &&
         target.given - target.there < kPiecesOnTheWay * pieces.each) {
    const std::string bytes = state.piece(item.record.body, target.given);
    if (bytes.empty()) return false;  // only of a disk that fails
    const shard::PieceOp op{.upload = {.from = shard_, .number = item.number},
                            .offset = target.given,
                            .total = pieces.bytes,
                            .bytes = bytes};
    ServerEffects::ToShard to{shard, {}, 1};
    shard::append_op(op, std::nullopt, to.ops);
    out.to_shards.push_back(std::move(to));
    target.given += bytes.size();
  }
  return target.there == pieces.bytes;
}

// `previous` makes a target refuse an item when one before it was lost on the way.
void OutboxSender::send(shard::OutboxMessage& item, uint32_t shard, uint64_t previous,
                        ServerEffects& out) {
  if (SHOAL_MUTATED("store-no-previous")) previous = 0;
  ServerEffects::ToShard to{shard, {}, 1};
  shard::append_op(shard::forwarded(item, shard_, previous), std::nullopt, to.ops);
  out.to_shards.push_back(std::move(to));
}

}  // namespace shoal::replica
