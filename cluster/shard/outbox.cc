// What this shard asks of others, and what others ask of it.
#include "cluster/shard/shard_core.h"
#include "shoal/mutation.h"

namespace shoal::shard {

void ShardState::Core::put_in_outbox(const OutboxRecord& record) {
  const uint64_t number = ++meta.last_outbox;
  tables.put(shard_key(KeyKind::kOutbox).number(number), record);
  ++meta.outbox;
  effects->outbox_end = number;
}

Effects::Outcome ShardState::Core::on(const OutboxDoneOp& op) {
  for (const uint64_t number : op.numbers) {
    const std::string where = shard_key(KeyKind::kOutbox).number(number);
    OutboxRecord record;
    if (!tables.get(where, record)) {
      skip(SkipReason::kNotWaited);
      continue;
    }
    tables.remove(where);
    --meta.outbox;
    drop_reference(record.body);
  }
  return Effects::Outcome::kApplied;
}

Effects::Outcome ShardState::Core::on(const OutboxPickedOp& op) {
  const std::string where = shard_key(KeyKind::kOutbox).number(op.number);
  OutboxRecord record;
  if (!tables.get(where, record) || record.kind != OutboxKind::kMessage) {
    return skip(SkipReason::kNotWaited);
  }
  for (const OutboxPick& pick : op.picks) {
    std::erase_if(record.picks, [&pick](const OutboxPick& one) { return one.group == pick.group; });
    record.picks.push_back(pick);
  }
  tables.put(where, record);
  effects->picked.push_back(op.number);
  return Effects::Outcome::kApplied;
}

// QoS 2 of a durable publisher [MQTT5-4.3.3-10]: the identifier and the message are
// one change, so a PUBLISH that comes again finds both or neither.
Effects::Outcome ShardState::Core::on(const ReceiveOp& op) {
  Effects::Outcome outcome{};
  if (op.packet_id == 0 || !is_usable(op.message)) return skip(SkipReason::kMalformed);
  std::optional<OpenSession> session = open(op.client_id, op.epoch, outcome);
  if (!session) return outcome;
  const std::string where = key(KeyKind::kReceived, op.client_id).number(op.packet_id);
  const bool is_repeat = tables.has(where);
  if (is_repeat && !SHOAL_MUTATED("qos2-repeat-is-new")) return Effects::Outcome::kApplied;
  if (!is_repeat) {
    tables.put_bytes(where, "");
    ++session->record.received;
    save(*session);
  }
  put_in_outbox({.kind = OutboxKind::kMessage, .body = store_body(begin_body(op.message))});
  return Effects::Outcome::kApplied;
}

Effects::Outcome ShardState::Core::on(const ReleaseOp& op) {
  Effects::Outcome outcome{};
  std::optional<OpenSession> session = open(op.client_id, op.epoch, outcome);
  if (!session) return outcome;
  if (tables.remove(key(KeyKind::kReceived, op.client_id).number(op.packet_id))) {
    --session->record.received;
    save(*session);
  }
  return Effects::Outcome::kApplied;
}

// Not every item goes to every shard, so numbers ascend with gaps; `previous` tells a gap from an item
// that was lost on the way.
Effects::Outcome ShardState::Core::on(const OutboxInOp& op) {
  const std::string where = shard_key(KeyKind::kOutboxMark).number(op.source_shard);
  OutboxMark mark;
  tables.get(where, mark);
  const bool repeat = op.number <= mark.number && !SHOAL_MUTATED("store-outbox-item-again");
  const bool lacks = op.previous > mark.number && !SHOAL_MUTATED("store-outbox-gap-applied");
  const bool gap = lacks || lacks_pieces(op.item.message ? &*op.item.message : nullptr);
  effects->outbox_answers.push_back({op.source_shard, op.number, !gap || repeat});
  if (repeat) return skip(SkipReason::kRepeat);
  if (gap) return skip(SkipReason::kGap);
  // Also of what cannot be used: it would come again for ever.
  mark.number = op.number;
  tables.put(where, mark);
  const bool is_used = on_item(op);
  drop_uploads_of_shard(op.source_shard, op.number);
  return is_used ? Effects::Outcome::kApplied : skip(SkipReason::kMalformed);
}

bool ShardState::Core::on_item(const OutboxInOp& op) {
  const OutboxItem& item = op.item;
  const bool has_message = item.message && !item.message->topic.empty();
  const bool has_group = !item.group.empty();
  switch (item.kind) {
    case OutboxKind::kMessage:
      if (has_message) publish(*item.message, {});
      return has_message;
    case OutboxKind::kMembership:
      if (has_group) on_membership(item);
      return has_group;
    case OutboxKind::kDelivery:
      if (has_message && has_group) on_delivery(item);
      return has_message && has_group;
    case OutboxKind::kReturn:
      if (has_message && has_group) on_return(item);
      return has_message && has_group;
  }
  return false;
}

// It was asked for, so it is queued whatever the limits; a session that is no member any more gives it
// back.
void ShardState::Core::on_delivery(const OutboxItem& item) {
  const NewBody stored = begin_body(*item.message);
  const Body& body = stored.body;
  const BodyId id = store_body(stored);
  std::optional<OpenSession> session = open(item.client_id);
  const std::string subscription = key(KeyKind::kSubscription, item.client_id).text(item.group);
  if (!session || is_over(session->record) || !tables.has(subscription)) {
    return put_in_outbox(
        {.kind = OutboxKind::kReturn, .group = std::string(item.group), .body = id});
  }
  QueueEntry entry = entry_of(id, body, item.qos, body.retain && item.retain_as_published);
  entry.group = item.group;
  if (item.identifier != 0) entry.identifiers = {item.identifier};
  Queue queue = queue_of(*session);
  append(*session, queue, std::move(entry));
  queue.flush();
  save(*session);
}

}  // namespace shoal::shard
