// A retained message as it stands on disk, and in a backup.
#pragma once

#include <cstdint>

#include "proto/shoal/hub.pb.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

// `expires_ms`: wall clock; 0: never.
proto::RetainedRecord retained_record_of(const Message& message, const Stamp& stamp,
                                         int64_t expires_ms);
// When a message expires, by the wall clock; 0: never.
int64_t expires_ms_of(const Message& message, Now now);

}  // namespace shoal
