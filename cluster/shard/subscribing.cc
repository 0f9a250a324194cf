// Subscriptions of durable sessions, what the router knows of them, and the retained messages that
// they are owed.
#include <algorithm>

#include "cluster/shard/shard_core.h"
#include "node/rules/topic.h"

namespace shoal::shard {

Effects::Outcome ShardState::Core::on(const SubscribeOp& op) {
  Effects::Outcome outcome{};
  std::optional<OpenSession> session = open(op.client_id, op.epoch, outcome);
  if (!session) return outcome;
  for (const FilterSpec& spec : op.filters) {
    if (!spec.filter.empty()) subscribe(*session, spec);
  }
  save(*session);
  return Effects::Outcome::kApplied;
}

Effects::Outcome ShardState::Core::on(const UnsubscribeOp& op) {
  Effects::Outcome outcome{};
  std::optional<OpenSession> session = open(op.client_id, op.epoch, outcome);
  if (!session) return outcome;
  for (const std::string_view filter : op.filters) unsubscribe(*session, filter);
  save(*session);
  return Effects::Outcome::kApplied;
}

void ShardState::Core::subscribe(OpenSession& session, const FilterSpec& spec) {
  SessionRecord& record = session.record;
  const std::string where = key(KeyKind::kSubscription, session.client_id).text(spec.filter);
  const bool is_shared = parse_shared(spec.filter).has_value();
  SubscriptionRecord old;
  if (!tables.get(where, old)) {
    ++record.subscriptions;
    if (is_shared) ++record.shared_subscriptions;
  }
  const SubscriptionRecord now{spec.qos, spec.no_local, spec.retain_as_published, spec.identifier};
  tables.put(where, now);
  if (is_shared) return assert_membership(session, spec.filter, &now);
  route(owner_of(session.client_id), spec.filter, now);
  // Behind the new one, so that a filter is not withdrawn in between.
  if (old.qos != Qos::k0) want(spec.filter, false);
  if (spec.replay && now.qos != Qos::k0) begin_replay(session, spec);
}

bool ShardState::Core::unsubscribe(OpenSession& session, std::string_view filter) {
  SubscriptionRecord record;
  if (!tables.get(key(KeyKind::kSubscription, session.client_id).text(filter), record)) {
    return false;
  }
  remove_subscription(session, filter, record);
  return true;
}

void ShardState::Core::remove_subscription(OpenSession& session, std::string_view filter,
                                           const SubscriptionRecord& record) {
  tables.remove(key(KeyKind::kSubscription, session.client_id).text(filter));
  --session.record.subscriptions;
  if (parse_shared(filter)) {
    --session.record.shared_subscriptions;
    assert_membership(session, filter, nullptr);
    return;
  }
  end_replay(session, filter);
  unroute(owner_of(session.client_id), filter, record.qos);
}

void ShardState::Core::drop_subscriptions(OpenSession& session) {
  const Key prefix = key(KeyKind::kSubscription, session.client_id);
  for (const std::string& each : tables.keys_with_prefix(prefix)) {
    const std::string filter = each.substr(prefix.bytes().size());
    remove_subscription(session, filter, tables.need<SubscriptionRecord>(each));
  }
}

// ---- shared subscriptions: the group's shard is told, and told again whenever the member comes or
// goes. The outbox keeps the order of what one session says.

void ShardState::Core::assert_membership(const OpenSession& session, std::string_view group,
                                         const SubscriptionRecord* record) {
  OutboxRecord out{.kind = OutboxKind::kMembership,
                   .group = std::string(group),
                   .client_id = session.client_id,
                   .version = place};
  if (record) {
    out.present = true;
    out.online = session.record.attached;
    out.retain_as_published = record->retain_as_published;
    out.qos = record->qos;
    out.identifier = record->identifier;
  }
  put_in_outbox(out);
}

void ShardState::Core::assert_memberships(const OpenSession& session) {
  const Key prefix = key(KeyKind::kSubscription, session.client_id);
  for (const std::string& each : tables.keys_with_prefix(prefix)) {
    const std::string filter = each.substr(prefix.bytes().size());
    if (!parse_shared(filter)) continue;
    const SubscriptionRecord record = tables.need<SubscriptionRecord>(each);
    assert_membership(session, filter, &record);
  }
}

// ---- the router

SessionIndex ShardState::Core::owner_of(std::string_view client_id) {
  if (const auto found = sessions_routed.find(client_id); found != sessions_routed.end()) {
    return found->second;
  }
  SessionIndex index = static_cast<SessionIndex>(owners.size());
  if (free_owners.empty()) {
    owners.emplace_back();
  } else {
    index = free_owners.back();
    free_owners.pop_back();
  }
  owners[index] = {std::string(client_id), client_id_hash(client_id, 0), 0};
  sessions_routed.emplace(client_id, index);
  return index;
}

void ShardState::Core::route(SessionIndex owner, std::string_view filter,
                             const SubscriptionRecord& record) {
  const SubscriptionOptions options{record.qos, record.no_local, record.retain_as_published,
                                    record.identifier};
  if (!router.subscribe(owner, filter, options).existed) ++owners[owner].subscriptions;
  if (record.qos != Qos::k0) want(filter, true);
}

void ShardState::Core::unroute(SessionIndex owner, std::string_view filter, Qos qos) {
  router.unsubscribe(owner, filter);
  if (qos != Qos::k0) want(filter, false);
  if (--owners[owner].subscriptions != 0) return;
  router.drop_session(owner);
  sessions_routed.erase(owners[owner].client_id);
  owners[owner] = {};
  free_owners.push_back(owner);
}

void ShardState::Core::want(std::string_view filter, bool is_wanted) {
  uint32_t& subscriptions = wanted[std::string(filter)];
  subscriptions += is_wanted ? 1 : -1;
  const bool changed = subscriptions == (is_wanted ? 1 : 0);
  if (subscriptions == 0) wanted.erase(std::string(filter));
  if (changed && effects) effects->routes.push_back({std::string(filter), is_wanted ? 1u : 0u});
}

// ---- retained messages

void ShardState::Core::begin_replay(OpenSession& session, const FilterSpec& spec) {
  const std::string where = key(KeyKind::kReplay, session.client_id).text(spec.filter);
  if (!tables.has(where)) ++session.record.replays;
  tables.put(where,
             ReplayRecord{
                 place, "", {spec.qos, spec.no_local, spec.retain_as_published, spec.identifier}});
  open_replays.emplace(session.client_id, spec.filter);
  effects->replays.push_back({session.client_id, std::string(spec.filter), place});
}

void ShardState::Core::end_replay(OpenSession& session, std::string_view filter) {
  if (!tables.remove(key(KeyKind::kReplay, session.client_id).text(filter))) return;
  open_replays.erase({session.client_id, std::string(filter)});
  if (--session.record.replays == 0) {
    tables.remove_prefix(key(KeyKind::kSeenLive, session.client_id));
  }
}

// A portion counts only if the cursor stands where it was read from: so each is queued once, whoever
// led the shard when it was asked for.
Effects::Outcome ShardState::Core::on(const ReplayPortionOp& op) {
  std::optional<OpenSession> session = open(op.client_id);
  const std::string where = key(KeyKind::kReplay, op.client_id).text(op.filter);
  ReplayRecord replay;
  if (!session || !tables.get(where, replay)) return skip(SkipReason::kNoSession);
  if (replay.id != op.replay || replay.cursor != op.from) return skip(SkipReason::kNotWaited);
  const uint64_t own_hash = client_id_hash(op.client_id, 0);
  Queue queue = queue_of(*session);
  for (const MessageSpec& message : op.messages) {
    const Body body = body_of(message);
    const Qos qos = std::min(body.qos, replay.subscription.qos);
    const bool own = replay.subscription.no_local && body.publisher == own_hash;
    // What came live since the subscription is newer.
    const bool seen = tables.has(key(KeyKind::kSeenLive, op.client_id).text(body.topic));
    if (qos == Qos::k0 || own || seen || is_expired(body.expires_at)) continue;
    QueueEntry entry = entry_of(store_body({++meta.last_body, body}), body, qos, true);
    if (replay.subscription.identifier != 0) entry.identifiers = {replay.subscription.identifier};
    append(*session, queue, std::move(entry));
  }
  queue.flush();
  if (op.done) {
    end_replay(*session, op.filter);
  } else {
    replay.cursor = op.next;
    tables.put(where, replay);
  }
  save(*session);
  return Effects::Outcome::kApplied;
}

}  // namespace shoal::shard
