// Messages, each stored once however many queues hold it. A count of references is a key of its own,
// and only where there is more than one: most messages are queued once.
#include "cluster/shard/shard_core.h"

namespace shoal::shard {
Body ShardState::Core::body_of(const MessageSpec& message) const {
  Body body{std::string(message.topic),
            std::string(message.properties),
            std::string(message.payload),
            message.qos,
            message.retain,
            message.publisher,
            message.expires_at};
  if (message.expiry_s) body.expires_at = meta.stamp + uint64_t{*message.expiry_s} * 1000;
  return body;
}

Body ShardState::Core::read_body(BodyId id) const {
  return tables.need<Body>(shard_key(KeyKind::kBody).number(id));
}

NewBody ShardState::Core::begin_body(const MessageSpec& message) {
  NewBody out{0, body_of(message)};
  UploadRecord record;
  if (message.upload && tables.take(upload_key(*message.upload), record)) {
    --meta.uploads;
    out.id = record.body;
    out.body.pieces = record.pieces;
  } else {
    out.id = ++meta.last_body;
  }
  return out;
}

BodyId ShardState::Core::store_body(const NewBody& body, uint32_t references) {
  std::string bytes;
  append_record(body.body, bytes);
  tables.add_bytes(shard_key(KeyKind::kBody).number(body.id), bytes);
  ++meta.bodies;
  meta.bodies_bytes += bytes.size();
  if (references > 1)
    tables.put(shard_key(KeyKind::kReferences).number(body.id), References{references});
  return body.id;
}

void ShardState::Core::let_go(const NewBody& body) {
  if (body.body.pieces) drop_pieces(body.id, *body.body.pieces);
}

void ShardState::Core::drop_body(BodyId id) {
  const std::optional<std::string> old = tables.remove(shard_key(KeyKind::kBody).number(id));
  SHOAL_ASSERT(old || !tables.values().is_healthy());
  BodyPieces body;
  SHOAL_ASSERT(!old || read_record(*old, body) || !tables.values().is_healthy());
  if (body.pieces) drop_pieces(id, *body.pieces);
  --meta.bodies;
  meta.bodies_bytes -= old ? old->size() : 0;
}

// Saves to look for a count where there is none, as of most messages.
void ShardState::Core::drop_reference(const QueueEntry& entry) {
  if (entry.is_sole && entry.body != 0) return drop_body(entry.body);
  drop_reference(entry.body);
}

void ShardState::Core::drop_reference(BodyId id) {
  if (id == 0) return;
  const std::string key = shard_key(KeyKind::kReferences).number(id);
  References references{1};
  tables.get(key, references);
  if (--references.count > 1) {
    tables.put(key, references);
  } else if (references.count == 1) {
    tables.remove(key);
  } else {
    drop_body(id);
  }
}

}  // namespace shoal::shard
