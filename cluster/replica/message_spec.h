// A message between the waist, the words of the store and the shards' ops. An expiry date is a clock's
// own; between nodes what is left of the interval travels.
#pragma once

#include "cluster/shard/op_parts.h"
#include "cluster/shard/records.h"
#include "proto/shoal/store.pb.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal::replica {

// Views into `message`. Its expiry becomes an interval from now on, rounded up to a second: it runs
// from the op's stamp.
shard::MessageSpec spec_of(const Message& message, Now now);
// One that came in pieces, or stands in them.
struct JoinedPayload {
  SharedBytes bytes;
  size_t size = 0;
};
// `joined`: instead of the payload in `from`.
MessageRef message_of(const proto::StoreMessage& from, Now now, const JoinedPayload& joined = {});
// Of a shard's state: its date is on the wall clock.
MessageRef message_of(const shard::Body& from, Now now, const JoinedPayload& joined = {});

}  // namespace shoal::replica
