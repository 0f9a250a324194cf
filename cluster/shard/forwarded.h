// An item of a shard's outbox as the op that carries it to another shard.
#pragma once

#include <cstdint>

#include "cluster/shard/entry.h"
#include "cluster/shard/shard_state.h"

namespace shoal::shard {

// Views into `from`. `previous`: see OutboxInOp.
OutboxInOp forwarded(const OutboxMessage& from, uint32_t source_shard, uint64_t previous = 0);

}  // namespace shoal::shard
