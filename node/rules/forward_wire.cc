// A batch between nodes: u8 format, u8 origin worker, u64 worker mask, u64 first and u64 last
// number, u32 messages, the records. Integers little-endian.
#include <array>
#include <utility>

#include "node/rules/forward_batch.h"
#include "node/rules/forward_format.h"
#include "node/rules/wire_bytes.h"
#include "shoal/assert.h"

namespace shoal {

namespace {
constexpr uint8_t kWireFormat = 1;
constexpr size_t kHeaderSize = 2 * sizeof(uint8_t) + 3 * sizeof(uint64_t) + sizeof(uint32_t);
}  // namespace

// Reads the records of a batch whose large parts may still be on their way.
struct ForwardBatchParser {
  // Of the large record if there is one, otherwise what the last record has.
  forward_format::RecordTotals totals;
  ForwardRecord record;

  bool walk(const ForwardBatch& batch, Instant now) {
    ForwardBatchReader reader(batch, now);
    forward_format::RecordTotals read;
    while (reader.step(record, read)) totals = std::exchange(read, {});
    return reader.ok();
  }
};

void serialize(const ForwardBatch& batch, std::string& out) {
  std::array<uint8_t, kHeaderSize> header;
  uint8_t* at = put_fixed(kWireFormat, header.data());
  at = put_fixed(batch.origin_worker, at);
  at = put_fixed(batch.worker_mask, at);
  at = put_fixed(batch.first_number, at);
  at = put_fixed(batch.last_number, at);
  at = put_fixed(batch.messages, at);
  SHOAL_ASSERT(at == header.data() + header.size());
  out.append(reinterpret_cast<const char*>(header.data()), header.size());
  out.append(reinterpret_cast<const char*>(batch.records.data()), batch.records.size());
}

std::vector<std::span<const uint8_t>> large_parts(const ForwardBatch& batch) {
  std::vector<std::span<const uint8_t>> parts;
  for (const MessageRef& message : batch.large) {
    if (!message->properties().empty()) parts.push_back(message->properties());
    if (!message->payload().empty()) parts.push_back(message->payload());
  }
  return parts;
}

std::optional<ParsedForwardBatch> parse_forward_batch(std::span<const uint8_t> bytes) {
  WireSource in(bytes);
  if (in.fixed<uint8_t>() != kWireFormat) return std::nullopt;
  ParsedForwardBatch parsed{.batch = std::make_shared<ForwardBatch>()};
  ForwardBatch& batch = *parsed.batch;
  batch.origin_worker = in.fixed<uint8_t>();
  batch.worker_mask = in.fixed<uint64_t>();
  batch.first_number = in.fixed<uint64_t>();
  batch.last_number = in.fixed<uint64_t>();
  batch.messages = in.fixed<uint32_t>();
  const std::span<const uint8_t> records = in.bytes(in.left());
  batch.records.assign(records.begin(), records.end());
  ForwardBatchParser parser;
  if (batch.origin_worker >= kWorkersMax || !parser.walk(batch, Instant{})) return std::nullopt;
  const forward_format::RecordTotals& totals = parser.totals;
  if (!totals.large) return parsed;
  parsed.large_bytes = totals.properties_size + totals.payload_size;
  const bool overflows = parsed.large_bytes < totals.payload_size;
  if (parsed.large_bytes == 0 || overflows) return std::nullopt;
  return parsed;
}

bool attach_large(ForwardBatch& batch, SharedBytes bytes, size_t size, Instant now) {
  SHOAL_ASSERT(batch.large.empty());
  ForwardBatchParser parser;
  const bool whole = parser.walk(batch, now);
  const forward_format::RecordTotals& totals = parser.totals;
  if (!whole || !totals.large || totals.properties_size > size ||
      totals.payload_size != size - totals.properties_size) {
    return false;
  }
  MessageView message = parser.record.message;
  message.properties = {bytes.get(), static_cast<size_t>(totals.properties_size)};
  message.payload = {bytes.get() + totals.properties_size,
                     static_cast<size_t>(totals.payload_size)};
  batch.large.push_back(Message::create(message, std::move(bytes)));
  return true;
}

}  // namespace shoal
