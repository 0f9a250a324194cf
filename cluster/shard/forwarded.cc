#include "cluster/shard/forwarded.h"

namespace shoal::shard {

OutboxInOp forwarded(const OutboxMessage& from, uint32_t source_shard, uint64_t previous) {
  const OutboxRecord& record = from.record;
  OutboxInOp op{.source_shard = source_shard, .number = from.number, .previous = previous};
  op.item = {.kind = record.kind,
             .group = record.group,
             .client_id = record.client_id,
             .version = record.version,
             .present = record.present,
             .online = record.online,
             .retain_as_published = record.retain_as_published,
             .qos = record.qos,
             .identifier = record.identifier};
  if (!from.message) return op;
  op.item.message = MessageSpec{.topic = from.message->topic,
                                .properties = from.message->properties,
                                .payload = from.message->payload,
                                .qos = from.message->qos,
                                .retain = from.message->retain,
                                .publisher = from.message->publisher,
                                .expires_at = from.message->expires_at};
  if (from.message->pieces) {
    op.item.message->upload = Upload{.from = source_shard, .number = from.number};
  }
  return op;
}

}  // namespace shoal::shard
