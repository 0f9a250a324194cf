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

BodyId ShardState::Core::store_body(const Body& body) {
  store_body(++meta.last_body, body, 1);
  return meta.last_body;
}

void ShardState::Core::store_body(BodyId id, const Body& body, uint32_t references) {
  std::string bytes;
  append_record(body, bytes);
  tables.add_bytes(shard_key(KeyKind::kBody).number(id), bytes);
  ++meta.bodies;
  meta.bodies_bytes += bytes.size();
  if (references > 1)
    tables.put(shard_key(KeyKind::kReferences).number(id), References{references});
}

void ShardState::Core::drop_body(BodyId id) {
  const std::optional<size_t> size = tables.remove(shard_key(KeyKind::kBody).number(id));
  SHOAL_ASSERT(size || !tables.values().is_healthy());
  --meta.bodies;
  meta.bodies_bytes -= size.value_or(0);
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
