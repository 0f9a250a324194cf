// The layout of a ForwardBatch's records, for the writer and the reader of them.
//
// records := u8 kRecordsFormat, then record after record. A record, integers little-endian,
// "varint" 7 bits a byte with the lowest first and no padding:
//
//   u32      size of what follows
//   varint   flags, below
//   varint   worker mask of the plain subscriptions
//   u64      hash of the publisher's client id        if kPublisher
//   varint   milliseconds until it expires            if kExpires
//   varint   number of picks, then for each           if kPicks
//              u8 worker, varint size, filter
//   varint   size of what a later version adds, and that; passed over   if kExtra
//   varint   size of the topic, and the topic
//   varint   size of the properties
//   varint   size of the payload                      if kLarge: both travel behind the batch
//   the properties and, to the record's end, the payload                if not kLarge
//
// A record has a number if its QoS is not 0 or it is large: it follows from the batch's first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "node/rules/forward_batch.h"
#include "node/rules/wire_bytes.h"

namespace shoal::forward_format {

constexpr uint8_t kRecordsFormat = 1;

constexpr uint64_t kQosMask = 3;
constexpr uint64_t kRetain = 1 << 2;
constexpr uint64_t kPublisher = 1 << 3;
constexpr uint64_t kExpires = 1 << 4;
constexpr uint64_t kPicks = 1 << 5;
constexpr uint64_t kLarge = 1 << 6;
constexpr uint64_t kExtra = 1 << 7;  // no writer of this version sets it
constexpr uint64_t kFlagsKnown = (1 << 8) - 1;

constexpr size_t kTopicSizeMax = 65'535;
constexpr uint64_t kExpiresMsMax = uint64_t{UINT32_MAX} * 1000;  // the longest interval of MQTT

// All that stands before the picks, at its longest.
constexpr size_t kHeadSizeMax =
    sizeof(uint32_t) + 2 + kWireVarintSizeMax + sizeof(uint64_t) + 2 * kWireVarintSizeMax;

// What a record says beside what a ForwardRecord has.
struct RecordTotals {
  uint64_t workers = 0;  // of mask and picks
  bool large = false;
  uint64_t properties_size = 0;
  uint64_t payload_size = 0;
};

// Reads what follows a record's size. False: it is not what a writer makes.
bool read_record(std::span<const uint8_t> bytes, Instant now, ForwardRecord& record,
                 RecordTotals& totals);

}  // namespace shoal::forward_format
