// Shared subscriptions with durable members, in the shard of "$share/NAME/FILTER": a queue of its own,
// from which members take (5.0: 4.8.2). A message comes into it when the publisher's node picked this
// shard for the group: beside it, workers may have members whose sessions are not durable.
#include <algorithm>

#include "cluster/shard/shard_core.h"
#include "node/rules/topic.h"

namespace shoal::shard {
namespace {
// The two lanes of a group's queue, in their keys; a session has one, without a number.
constexpr uint8_t kReturnedLane = 0;
constexpr uint8_t kFreshLane = 1;
}  // namespace

Queue ShardState::Core::group_queue(std::string_view group, GroupRecord& record, bool returned) {
  return Queue(tables, key(KeyKind::kQueue, group).byte(returned ? kReturnedLane : kFreshLane),
               returned ? record.returned : record.fresh);
}

GroupRecord ShardState::Core::begin_group(std::string_view group) {
  GroupRecord record;
  record.returned = record.fresh = QueueState::starting_at(place);
  groups.emplace(group);
  return record;
}

// Its members, or those that are attached, are others than before.
void ShardState::Core::put_group(std::string_view group, const GroupRecord& record) {
  tables.put(key(KeyKind::kGroup, group), record);
  effects->routes.push_back({std::string(group), record.online, record.members - record.online});
}

void ShardState::Core::on_membership(const OutboxItem& item) {
  if (!parse_shared(item.group)) return;
  const std::string where = key(KeyKind::kGroupMember, item.group).name(item.client_id);
  MemberRecord member;
  const bool existed = tables.get(where, member);
  if (existed && member.version > item.version) return;
  GroupRecord group;
  const bool has_group = tables.get(key(KeyKind::kGroup, item.group), group);
  if (existed && member.online) --group.online;
  if (!item.present) {
    if (!existed) return;
    tables.remove(where);
    if (--group.members == 0) return end_group(item.group, group);
    return put_group(item.group, group);
  }
  if (!has_group) group = begin_group(item.group);
  if (!existed) ++group.members;
  if (item.online) ++group.online;
  tables.put(where, MemberRecord{item.version, item.online, item.retain_as_published, item.qos,
                                 item.identifier});
  put_group(item.group, group);
  if (item.online && group.returned.queued + group.fresh.queued != 0) {
    effects->groups_filled.emplace_back(item.group);
  }
}

void ShardState::Core::end_group(std::string_view group, GroupRecord& record) {
  for (const bool returned : {true, false}) {
    Queue queue = group_queue(group, record, returned);
    queue.clear([&](const QueueEntry& entry) {
      --meta.queued;
      if (!give_to_others(group, entry.qos, entry.body)) drop_reference(entry.body);
    });
    queue.flush();
  }
  groups.erase(std::string(group));
  tables.remove(key(KeyKind::kGroup, group));
  effects->routes.push_back({std::string(group), 0, 0});
}

// The group has no durable member any more, but there may be others, of whom the shard knows nothing:
// whoever publishes what is in the outbox picks one of all [MQTT5-4.8.2-5].
bool ShardState::Core::give_to_others(std::string_view group, Qos qos, BodyId body) {
  if (qos == Qos::k0) {
    note_drop(group, nullptr, DropReason::kGroupEnded);
    return false;
  }
  put_in_outbox({.kind = OutboxKind::kMessage, .group = std::string(group), .body = body});
  return true;
}

void ShardState::Core::on_return(const OutboxItem& item) {
  const std::string where = key(KeyKind::kGroup, item.group);
  GroupRecord group;
  const NewBody stored = begin_body(*item.message);
  const Body& body = stored.body;
  const BodyId id = store_body(stored);
  if (!tables.get(where, group)) {
    if (!give_to_others(item.group, body.qos, id)) drop_reference(id);
    return;
  }
  Queue queue = group_queue(item.group, group, true);
  queue.append(entry_of(id, body, body.qos, body.retain));
  ++meta.queued;
  queue.flush();
  tables.put(where, group);
  effects->groups_filled.emplace_back(item.group);
}

Effects::Outcome ShardState::Core::on(const TakeOp& op) {
  const std::string where = key(KeyKind::kGroup, op.group);
  GroupRecord group;
  MemberRecord member;
  const bool is_member =
      tables.get(where, group) &&
      tables.get(key(KeyKind::kGroupMember, op.group).name(op.client_id), member);
  if (!is_member) return skip(SkipReason::kNoSession);
  // It came or went since it asked.
  if (member.version != op.version || !member.online) return skip(SkipReason::kStaleEpoch);
  uint32_t left = op.count;
  for (const bool returned : {true, false}) {
    Queue queue = group_queue(op.group, group, returned);
    left -= take(queue, op, member, left);
    queue.flush();
  }
  tables.put(where, group);
  return Effects::Outcome::kApplied;
}

// How many it took; the messages' references go with them.
uint32_t ShardState::Core::take(Queue& queue, const TakeOp& op, const MemberRecord& member,
                                uint32_t count) {
  uint32_t taken = 0;
  while (taken < count) {
    const QueueEntry* const head = queue.next(queue.state().head);
    if (!head) break;
    if (is_expired(head->expires_at)) {
      drop_unsent(queue, op.group, nullptr, DropReason::kExpired);
      continue;
    }
    const QueueEntry entry = queue.remove(head->number);
    --meta.queued;
    put_in_outbox({.kind = OutboxKind::kDelivery,
                   .group = std::string(op.group),
                   .client_id = std::string(op.client_id),
                   .version = member.version,
                   .retain_as_published = member.retain_as_published,
                   .qos = std::min(member.qos, entry.qos),
                   .identifier = member.identifier,
                   .body = entry.body});
    ++taken;
  }
  return taken;
}

}  // namespace shoal::shard
