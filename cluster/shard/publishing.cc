// A message into the queues of all who want it.
#include <algorithm>

#include "cluster/shard/shard_core.h"
#include "node/rules/match.h"
#include "shoal/mutation.h"

namespace shoal::shard {

Effects::Outcome ShardState::Core::on(const PublishOp& op) {
  if (!is_usable(op.message)) return skip(SkipReason::kMalformed);
  if (op.item && !take_pick(*op.item, op.group)) return skip(SkipReason::kRepeat);
  publish(op.message, op.group);
  return Effects::Outcome::kApplied;
}

// Leaders of the outbox send it, one after another and one beside another, and each of them what the
// one before had open.
bool ShardState::Core::take_pick(const PickedItem& item, std::string_view group) {
  const std::string where = shard_key(KeyKind::kPickMark).number(item.source_shard);
  PickMark mark;
  tables.get(where, mark);
  if (item.number < mark.least) return false;
  const Key items = shard_key(KeyKind::kPickedItem).number(item.source_shard);
  if (item.least > mark.least) {
    tables.put(where, PickMark{item.least});
    tables.remove_range(items, Key(items).number(item.least));
  }
  const std::string key = Key(items).number(item.number).text(group);
  if (tables.has(key) && !SHOAL_MUTATED("store-pick-taken-again")) return false;
  tables.put_bytes(key, "");
  return true;
}

void ShardState::Core::publish(const MessageSpec& message, std::string_view group) {
  const NewBody stored = begin_body(message);
  const Body& body = stored.body;
  uint32_t references = 0;
  if (!is_expired(body.expires_at)) {
    references = group.empty()
                     ? queue_for_all(stored.id, body)
                     : queue_for_group(group, entry_of(stored.id, body, body.qos, body.retain));
  }
  if (references == 0) return let_go(stored);
  store_body(stored, references);
}

// At QoS 0 the live path has it.
uint32_t ShardState::Core::queue_for_all(BodyId id, const Body& body) {
  if (body.qos == Qos::k0) return 0;
  uint32_t references = 0;
  const Match& match = router.match(body.topic);
  // The router's orders are those of its own history, which is another on each replica: neither the
  // sessions nor the identifiers may be worked on in them.
  std::vector<const LocalTarget*> targets;
  for (const LocalTarget& target : match.targets()) targets.push_back(&target);
  std::sort(targets.begin(), targets.end(), [this](const LocalTarget* a, const LocalTarget* b) {
    return owners[a->session].client_id < owners[b->session].client_id;
  });
  for (const LocalTarget* target : targets) {
    const QueueOwner& owner = owners[target->session];
    if (target->no_local && body.publisher == owner.hash) {
      target = match.own_target(target->session);
    }
    if (!target) continue;
    // At QoS 0 the live path has it.
    const Qos qos = std::min(target->qos, body.qos);
    if (qos == Qos::k0) continue;
    QueueEntry entry = entry_of(id, body, qos, body.retain && target->retain_as_published);
    entry.is_sole = targets.size() == 1;
    const std::span<const uint32_t> identifiers = match.identifiers(*target);
    entry.identifiers.assign(identifiers.begin(), identifiers.end());
    std::sort(entry.identifiers.begin(), entry.identifiers.end());
    references += queue_live(owner.client_id, std::move(entry), body) ? 1 : 0;
  }
  return references;
}

QueueEntry ShardState::Core::entry_of(BodyId id, const Body& body, Qos qos, bool retain) {
  QueueEntry entry;
  entry.body = id;
  entry.expires_at = body.expires_at;
  entry.size = body.size();
  entry.qos = qos;
  entry.retain = retain;
  return entry;
}

// Whether its client is connected or not [MQTT311-3.1.2-5].
bool ShardState::Core::queue_live(std::string_view client_id, QueueEntry entry, const Body& body) {
  std::optional<OpenSession> session = open(client_id);
  SHOAL_ASSERT(session.has_value() || !tables.values().is_healthy());
  if (!session) return false;
  SessionRecord& record = session->record;
  Queue queue = queue_of(*session);
  const bool has_room = make_room(queue, client_id, &record.drops, entry.size);
  if (has_room) append(*session, queue, std::move(entry));
  if (has_room && body.retain && record.replays != 0) {
    tables.put_bytes(key(KeyKind::kSeenLive, client_id).text(body.topic), "");
  }
  queue.flush();
  save(*session);
  return has_room;
}

void ShardState::Core::append(OpenSession& session, Queue& queue, QueueEntry entry) {
  ++meta.queued;
  const uint64_t number = queue.append(std::move(entry));
  extend_window(session, queue, number);
}

bool ShardState::Core::queue_for_group(std::string_view group, QueueEntry entry) {
  const std::string where = key(KeyKind::kGroup, group);
  GroupRecord record;
  // Its last member went since it was picked.
  if (!tables.get(where, record)) return give_to_others(group, entry.qos, entry.body);
  if (entry.qos == Qos::k0 && record.online == 0) return false;  // nothing waits at QoS 0
  Queue queue = group_queue(group, record, false);
  const bool has_room = make_room(queue, group, nullptr, entry.size);
  if (has_room) {
    queue.append(std::move(entry));
    ++meta.queued;
    effects->groups_filled.emplace_back(group);
  }
  queue.flush();
  tables.put(where, record);
  return has_room;
}

bool ShardState::Core::is_over_limit(const QueueState& state, uint64_t more) const {
  const ShardLimits& limits = meta.limits;
  return (limits.queued_max != 0 && state.queued >= limits.queued_max) ||
         (limits.queued_bytes_max != 0 && state.bytes + more > limits.queued_bytes_max);
}

bool ShardState::Core::make_room(Queue& queue, std::string_view owner, std::vector<uint64_t>* drops,
                                 uint64_t size) {
  const ShardLimits& limits = meta.limits;
  if (limits.bodies_bytes_max != 0 && meta.bodies_bytes + size > limits.bodies_bytes_max) {
    note_drop(owner, drops, DropReason::kShardFull);
    return false;
  }
  const bool fits_at_all = limits.queued_bytes_max == 0 || size <= limits.queued_bytes_max;
  QueueState& state = queue.state();
  while (is_over_limit(state, size)) {
    const QueueEntry* const oldest = fits_at_all ? queue.find(state.unsent) : nullptr;
    const bool expired = oldest && is_expired(oldest->expires_at);
    if (!oldest || (limits.rejects_new && !expired)) {
      note_drop(owner, drops, DropReason::kNew);
      return false;
    }
    drop_unsent(queue, owner, drops, expired ? DropReason::kExpired : DropReason::kOldest);
  }
  return true;
}

void ShardState::Core::drop_unsent(Queue& queue, std::string_view owner,
                                   std::vector<uint64_t>* drops, DropReason reason) {
  finish(queue, queue.state().unsent);
  note_drop(owner, drops, reason);
}

void ShardState::Core::note_drop(std::string_view owner, std::vector<uint64_t>* drops,
                                 DropReason reason) {
  count(meta.drops, kDropReasons, static_cast<size_t>(reason));
  if (drops) count(*drops, kDropReasons, static_cast<size_t>(reason));
  effects->drops.push_back({std::string(owner), reason});
}

}  // namespace shoal::shard
