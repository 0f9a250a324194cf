// From a session's first Connect to its end.
#include <algorithm>

#include "cluster/shard/shard_core.h"
#include "node/rules/topic.h"
#include "shoal/mutation.h"

namespace shoal::shard {
namespace {

Key attached_key(const SessionRecord& session, std::string_view client_id) {
  return Key(kShardSlot, KeyKind::kAttached)
      .number(session.node.value)
      .number(session.incarnation)
      .text(client_id);
}

}  // namespace

std::optional<OpenSession> ShardState::Core::open(std::string_view client_id) const {
  OpenSession session{std::string(client_id), {}};
  if (!tables.get(key(KeyKind::kSession, client_id), session.record)) return std::nullopt;
  return session;
}

std::optional<OpenSession> ShardState::Core::open(std::string_view client_id, OpPlace epoch,
                                                  Effects::Outcome& outcome) {
  std::optional<OpenSession> session = open(client_id);
  if (session && session->record.attached && session->record.epoch == epoch) return session;
  outcome = skip(session ? SkipReason::kStaleEpoch : SkipReason::kNoSession);
  return std::nullopt;
}

void ShardState::Core::save(const OpenSession& session) {
  tables.put(key(KeyKind::kSession, session.client_id), session.record);
}

bool ShardState::Core::is_over(const SessionRecord& session) const {
  return !session.attached && is_expired(session.expires_at);
}

Effects::Outcome ShardState::Core::on(const ConnectOp& op) {
  if (op.client_id.empty() || op.receive_maximum == 0) return skip(SkipReason::kMalformed);
  std::optional<OpenSession> session = open(op.client_id);
  if (session && is_over(session->record)) {
    end_session(*session);
    session.reset();
  }
  const Stamp claim{op.claim_counter, op.claim_node};
  if (session && claim < session->record.claim()) return skip(SkipReason::kStaleEpoch);
  if (session && session->record.user != op.user) return Effects::Outcome::kRefusedUser;
  uint64_t first_number = place;
  if (session) {
    // One of expiry 0 ends with its connection, whoever ends that. Clean start ends any
    // [MQTT5-3.1.2-4] [MQTT5-3.1.4-4] [MQTT311-3.1.2-6] [MQTT311-3.1.4-3].
    const bool resumes = !op.clean_start && session->record.expiry_s != 0;
    evict(*session, resumes);
    if (!resumes) {
      first_number = std::max(first_number, session->record.queue.tail);
      end_session(*session);
      session.reset();
    }
  }
  const bool present = session.has_value();
  if (!session) {
    session.emplace().client_id = op.client_id;
    session->record.queue = QueueState::starting_at(first_number);
    ++meta.sessions;
  }
  session->record.resumed = present;
  attach(*session, op);
  return Effects::Outcome::kApplied;
}

// A connection that another takes over ends without a DISCONNECT: its will is published unless it is
// to wait and the session goes on, now or while it waits [MQTT5-3.1.3-9].
void ShardState::Core::evict(OpenSession& session, bool resumes) {
  SessionRecord& record = session.record;
  const bool waits =
      record.attached ? record.will && record.will->delay_s != 0 : !is_expired(record.will_at);
  if (record.attached) {
    effects->evicted.push_back(
        {session.client_id, record.epoch, record.node, record.incarnation, record.worker});
    leave_node(session);
  }
  if (resumes && waits) drop_will(session);
  fire_will(session);
}

void ShardState::Core::leave_node(OpenSession& session) {
  SHOAL_ASSERT(session.record.attached);
  tables.remove(attached_key(session.record, session.client_id));
  session.record.attached = false;
  --meta.attached;
}

void ShardState::Core::attach(OpenSession& session, const ConnectOp& op) {
  SessionRecord& record = session.record;
  record.user = op.user;
  record.epoch = place;
  record.attached = true;
  record.node = op.node;
  record.incarnation = op.incarnation;
  record.worker = op.worker;
  record.receive_maximum = op.receive_maximum;
  record.expiry_s = op.expiry_s;
  record.connect_number = source_number;
  record.claim_counter = op.claim_counter;
  record.claim_node = op.claim_node;
  record.will_at = record.expires_at = 0;
  if (op.will) {
    MessageSpec message = op.will->message;
    message.expiry_s.reset();
    record.will =
        WillRecord{store_body(begin_body(message)), op.will->delay_s, op.will->message.expiry_s};
  }
  tables.put_bytes(attached_key(record, session.client_id), "");
  ++meta.attached;
  set_timer(session);
  effects->connected.push_back(
      {session.client_id, place, record.resumed, op.node, op.incarnation, op.worker});
  record.resend_end = record.queue.window_end;
  Queue queue = queue_of(session);
  extend_window(session, queue);
  queue.flush();
  if (record.shared_subscriptions != 0) assert_memberships(session);
  save(session);
}

Effects::Outcome ShardState::Core::on(const DetachOp& op) {
  Effects::Outcome outcome{};
  std::optional<OpenSession> session = open(op.client_id, op.epoch, outcome);
  if (!session) return outcome;
  if (op.discards_will) drop_will(*session);
  if (op.expiry_s) session->record.expiry_s = *op.expiry_s;
  detach(*session);
  return Effects::Outcome::kApplied;
}

void ShardState::Core::detach(OpenSession& session) {
  SessionRecord& record = session.record;
  leave_node(session);
  if (record.expiry_s == 0) return end_session(session);
  if (record.expiry_s != kNeverExpires) {  // [MQTT5-3.1.2-23]
    record.expires_at = meta.stamp + uint64_t{record.expiry_s} * 1000;
  }
  if (record.will) {
    // The session's end publishes it too [MQTT5-3.1.2-8].
    const uint64_t delay_s = std::min(record.will->delay_s, record.expiry_s);
    if (delay_s == 0) {
      fire_will(session);
    } else {
      record.will_at = meta.stamp + delay_s * 1000;
    }
  }
  set_timer(session);
  if (record.shared_subscriptions != 0) assert_memberships(session);
  save(session);
}

void ShardState::Core::fire_will(OpenSession& session) {
  std::optional<WillRecord>& will = session.record.will;
  if (!will) return;
  if (SHOAL_MUTATED("will-is-forgotten")) return drop_will(session);
  OutboxRecord record{.kind = OutboxKind::kMessage, .body = will->body, .is_will = true};
  if (will->expiry_s) record.expires_at = meta.stamp + uint64_t{*will->expiry_s} * 1000;
  put_in_outbox(record);
  will.reset();  // [MQTT5-3.1.2-10] [MQTT311-3.1.2-10]
  session.record.will_at = 0;
}

void ShardState::Core::drop_will(OpenSession& session) {
  if (session.record.will) drop_reference(session.record.will->body);
  session.record.will.reset();
  session.record.will_at = 0;
}

void ShardState::Core::set_timer(OpenSession& session) {
  SessionRecord& record = session.record;
  uint64_t due = record.will_at;
  if (record.expires_at != 0 && (due == 0 || record.expires_at < due)) due = record.expires_at;
  if (due == record.timer) return;
  if (record.timer != 0) remove_timer(record.timer, TimerKind::kSession, session.client_id);
  if (due != 0) put_timer(due, TimerKind::kSession, session.client_id);
  record.timer = due;
}

void ShardState::Core::on_session_timer(std::string_view client_id) {
  std::optional<OpenSession> session = open(client_id);
  SHOAL_ASSERT(session.has_value() || !tables.values().is_healthy());
  if (!session) return;
  session->record.timer = 0;  // its key is gone
  if (is_over(session->record)) return end_session(*session);
  if (is_expired(session->record.will_at)) fire_will(*session);
  set_timer(*session);
  save(*session);
}

void ShardState::Core::end_session(OpenSession& session) {
  if (is_over(session.record)) ++meta.expired;
  fire_will(session);
  end_queue(session);
  drop_subscriptions(session);
  tables.remove_prefix(key(KeyKind::kReceived, session.client_id));
  if (session.record.attached) leave_node(session);
  session.record.expires_at = 0;
  set_timer(session);
  tables.remove(key(KeyKind::kSession, session.client_id));
  --meta.sessions;
  effects->ended.push_back({session.client_id});
}

// What a shared subscription gave this session stays until its end [MQTT5-4.8.2-4], and goes back then,
// unless it may have arrived: a QoS 2 message is not given to another then [MQTT5-4.8.2-5].
void ShardState::Core::end_queue(OpenSession& session) {
  const uint64_t window_end = session.record.queue.window_end;
  Queue queue = queue_of(session);
  queue.clear([&](const QueueEntry& entry) {
    --meta.queued;
    if (entry.group.empty() || entry.body == 0) return drop_reference(entry);
    if (entry.qos == Qos::k1 || entry.number >= window_end) {
      return put_in_outbox({.kind = OutboxKind::kReturn, .group = entry.group, .body = entry.body});
    }
    note_drop(session.client_id, nullptr, DropReason::kSharedSent);
    drop_reference(entry.body);
  });
  queue.flush();
}

}  // namespace shoal::shard
