// Retained messages of the topics whose slots are this shard's.
#include "cluster/shard/shard_core.h"

namespace shoal::shard {

// An empty payload removes [MQTT5-3.3.1-6] [MQTT311-3.3.1-10].
uint32_t ShardState::Core::store_retained(BodyId id, const Body& body) {
  remove_retained(body.topic);
  if (body.payload.empty() || is_expired(body.expires_at)) return 0;
  tables.put(key(KeyKind::kRetained, body.topic), RetainedRecord{id, body.expires_at});
  retained_topics.insert(body.topic);
  if (body.expires_at != 0) put_timer(body.expires_at, TimerKind::kRetained, body.topic);
  ++meta.retained;
  return 1;
}

void ShardState::Core::remove_retained(std::string_view topic) {
  const std::string where = key(KeyKind::kRetained, topic);
  RetainedRecord record;
  if (!tables.get(where, record)) return;
  tables.remove(where);
  if (const auto at = retained_topics.find(topic); at != retained_topics.end()) {
    retained_topics.erase(at);
  }
  if (record.expires_at != 0) remove_timer(record.expires_at, TimerKind::kRetained, topic);
  drop_reference(record.body);
  --meta.retained;
}

void ShardState::Core::on_retained_timer(std::string_view topic, uint64_t due) {
  RetainedRecord record;
  const bool is_there = tables.get(key(KeyKind::kRetained, topic), record);
  if (is_there && record.expires_at == due) remove_retained(topic);
}

}  // namespace shoal::shard
