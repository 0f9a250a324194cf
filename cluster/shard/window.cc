// The window of a session's queue: which numbers the client may have been sent, and what it
// acknowledges.
#include <algorithm>

#include "cluster/shard/shard_core.h"

namespace shoal::shard {
namespace {
// More than the client may have open at once, so that acknowledgements and new messages can be on
// their way at the same time.
constexpr uint32_t kWindowPerReceiveMaximum = 4;
}  // namespace

Queue ShardState::Core::queue_of(OpenSession& session) {
  return Queue(tables, key(KeyKind::kQueue, session.client_id), session.record.queue);
}

void ShardState::Core::extend_window(OpenSession& session, Queue& queue, uint64_t fresh) {
  if (!session.record.attached) return;
  QueueState& state = session.record.queue;
  const uint32_t room = kWindowPerReceiveMaximum * session.record.receive_maximum;
  const uint64_t before = state.window_end;
  while (state.in_window < room && state.unsent < state.tail &&
         state.unsent < state.head + Queue::kPacketIds) {
    if (state.unsent != fresh) {
      const QueueEntry* const entry = queue.find(state.unsent);
      if (!entry) {
        SHOAL_ASSERT(!tables.values().is_healthy());
        return;
      }
      if (is_expired(entry->expires_at)) {
        drop_unsent(queue, session.client_id, &session.record.drops, DropReason::kExpired);
        continue;
      }
    }
    ++state.in_window;
    state.window_end = ++state.unsent;
  }
  if (state.window_end == before || state.in_window == 0) return;
  effects->deliverable.push_back({session.client_id, session.record.epoch, state.window_end});
}

Effects::Outcome ShardState::Core::on(const AckOp& op) {
  Effects::Outcome outcome{};
  std::optional<OpenSession> session = open(op.client_id, op.epoch, outcome);
  if (!session) return outcome;
  Queue queue = queue_of(*session);
  for (const uint64_t ack : op.acks) {
    if (!acknowledge(queue, AckOp::number_of(ack), AckOp::kind_of(ack))) {
      skip(SkipReason::kNotWaited);
    }
  }
  extend_window(*session, queue);
  queue.flush();
  save(*session);
  const SessionRecord& record = session->record;
  if (record.shared_subscriptions != 0 && 2 * record.queue.queued <= record.receive_maximum) {
    effects->members_drained.emplace_back(op.client_id);
  }
  return Effects::Outcome::kApplied;
}

bool ShardState::Core::acknowledge(Queue& queue, uint64_t number, AckKind kind) {
  if (number >= queue.state().window_end) return false;
  const QueueEntry* const entry = queue.find(number);
  if (!entry) return false;
  switch (kind) {
    case AckKind::kPuback:
      if (entry->qos == Qos::k2) return false;
      break;
    case AckKind::kPubrec:
      if (entry->qos != Qos::k2 || entry->released) return false;
      drop_reference(*entry);
      queue.release(number);
      return true;
    case AckKind::kPubrecRefused:
      if (entry->qos != Qos::k2 || entry->released) return false;
      break;
    case AckKind::kPubcomp:
      if (!entry->released) return false;
      break;
  }
  finish(queue, number);
  return true;
}

void ShardState::Core::finish(Queue& queue, uint64_t number) {
  const QueueEntry entry = queue.remove(number);
  --meta.queued;
  drop_reference(entry);
}

}  // namespace shoal::shard
