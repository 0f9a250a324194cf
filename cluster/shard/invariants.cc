// What must hold between entries, by walking all keys.
#include <map>

#include "cluster/shard/shard_core.h"

namespace shoal::shard {
namespace {

// All that is counted in one place and kept in another.
struct Census {
  std::map<BodyId, uint32_t> references;
  std::vector<BodyId> sole;  // of which a queue says that it has only one
  uint64_t queued = 0;
  uint64_t sessions = 0;
  uint64_t attached = 0;
  uint64_t outbox = 0;
  uint64_t bodies = 0;
  uint64_t bodies_bytes = 0;
  uint64_t uploads = 0;
  std::map<BodyId, Pieces> pieces_said;  // by messages and uploads
  std::map<BodyId, Pieces> pieces;       // that stand there
  uint64_t segments = 0;                 // in the store
  uint64_t segments_walked = 0;          // by the queues' own pointers
};

void check_queue(Queue& queue, Census& census) {
  const QueueState state = queue.state();
  SHOAL_ASSERT(state.head <= state.window_end && state.window_end <= state.unsent);
  SHOAL_ASSERT(state.unsent <= state.tail);
  QueueState counted;
  counted.head = state.tail;
  uint64_t segment = UINT64_MAX;
  const QueueEntry* entry = queue.next(state.head);
  for (uint64_t number = 0; entry; entry = queue.next(number + 1)) {
    number = entry->number;
    if (counted.queued == 0) counted.head = number;
    ++counted.queued;
    counted.bytes += entry->size;
    if (number < state.window_end) ++counted.in_window;
    SHOAL_ASSERT(number < state.window_end || number >= state.unsent);
    SHOAL_ASSERT(entry->released == (entry->body == 0));
    if (entry->body != 0) ++census.references[entry->body];
    if (entry->body != 0 && entry->is_sole) census.sole.push_back(entry->body);
    if (number / Queue::kSegment != segment) ++census.segments_walked;
    segment = number / Queue::kSegment;
  }
  SHOAL_ASSERT(counted.head == state.head);
  SHOAL_ASSERT(counted.queued == state.queued && counted.bytes == state.bytes);
  SHOAL_ASSERT(counted.in_window == state.in_window);
  SHOAL_ASSERT(state.queued - state.in_window == state.tail - state.unsent);
  census.queued += counted.queued;
}

template <class Record>
Record read_value(std::string_view value) {
  Record record;
  SHOAL_ASSERT(read_record(value, record));
  return record;
}

}  // namespace

struct ShardState::Inspection {
  Core& core;
  Census census;

  void on_session(std::string_view client_id, std::string_view value) {
    ++census.sessions;
    OpenSession session{std::string(client_id), read_value<SessionRecord>(value)};
    const SessionRecord& record = session.record;
    if (record.attached) ++census.attached;
    if (record.will) ++census.references[record.will->body];
    SHOAL_ASSERT(!record.attached || record.timer == 0);
    const Key prefix = core.key(KeyKind::kSubscription, client_id);
    SHOAL_ASSERT(core.tables.keys_with_prefix(prefix).size() == record.subscriptions);
    Queue queue = core.queue_of(session);
    check_queue(queue, census);
  }

  void on_group(std::string_view name, std::string_view value) {
    GroupRecord record = read_value<GroupRecord>(value);
    for (const bool returned : {true, false}) {
      Queue queue = core.group_queue(name, record, returned);
      check_queue(queue, census);
    }
    SHOAL_ASSERT(record.members != 0 && core.groups.contains(std::string(name)));
    SHOAL_ASSERT(record.online <= record.members);
  }

  void on_upload(const UploadRecord& record) {
    ++census.uploads;
    SHOAL_ASSERT(record.pieces.bytes != 0 && record.pieces.bytes <= record.total);
    SHOAL_ASSERT(!census.pieces_said.contains(record.body));
    census.pieces_said[record.body] = record.pieces;
  }

  void on_piece(KeyParts& parts, std::string_view key, std::string_view value) {
    Pieces& pieces = census.pieces[parts.number()];
    SHOAL_ASSERT(parts.number() == pieces.bytes);
    pieces.bytes += value.size();
    pieces.each = std::max<uint64_t>(pieces.each, value.size());
    pieces.hash += hash_of(key, value);
    census.bodies_bytes += value.size();
  }

  void on_key(std::string_view key, std::string_view value) {
    KeyParts parts(key);
    switch (parts.kind()) {
      case KeyKind::kSession: return on_session(parts.name(), value);
      case KeyKind::kGroup: return on_group(parts.name(), value);
      case KeyKind::kOutbox:
        ++census.outbox;
        if (const BodyId body = read_value<OutboxRecord>(value).body; body != 0) {
          ++census.references[body];
        }
        return;
      case KeyKind::kBody: {
        ++census.bodies;
        census.bodies_bytes += value.size();
        const auto body = read_value<Body>(value);
        if (body.pieces) census.pieces_said[parts.number()] = *body.pieces;
        return;
      }
      case KeyKind::kUpload: return on_upload(read_value<UploadRecord>(value));
      case KeyKind::kPiece: return on_piece(parts, key, value);
      case KeyKind::kQueue: ++census.segments; return;
      default: return;
    }
  }

  void check_references() const {
    for (const auto& [body, count] : census.references) {
      References stored{1};
      core.tables.get(core.shard_key(KeyKind::kReferences).number(body), stored);
      SHOAL_ASSERT(stored.count == count);
    }
    for (const BodyId body : census.sole) SHOAL_ASSERT(census.references.at(body) == 1);
  }
};

void ShardState::check_invariants() const {
  SHOAL_ASSERT(hash() == hash_anew());
  Inspection inspection{*core_, {}};
  core_->tables.values().scan("", "", [&](std::string_view key, std::string_view value) {
    inspection.on_key(key, value);
    return true;
  });
  const Census& census = inspection.census;
  const MetaRecord& meta = core_->meta;
  SHOAL_ASSERT(census.sessions == meta.sessions && census.attached == meta.attached);
  SHOAL_ASSERT(census.queued == meta.queued);
  SHOAL_ASSERT(census.outbox == meta.outbox);
  SHOAL_ASSERT(census.bodies == meta.bodies && census.bodies == census.references.size());
  SHOAL_ASSERT(census.bodies_bytes == meta.bodies_bytes && census.uploads == meta.uploads);
  SHOAL_ASSERT(census.pieces == census.pieces_said);
  SHOAL_ASSERT(census.segments == census.segments_walked);
  inspection.check_references();
}

}  // namespace shoal::shard
