#include <algorithm>

#include "node/rules/forward_batch.h"
#include "node/rules/forward_format.h"
#include "node/rules/wire_bytes.h"
#include "shoal/assert.h"

namespace shoal {
namespace forward_format {
namespace {

// Walks the picks to check them and to find their end. `bytes` is what `in` reads.
SharedPicks read_picks(WireSource& in, std::span<const uint8_t> bytes, uint64_t& workers) {
  const uint64_t count = in.varint();
  if (count == 0) in.fail();
  const size_t begin = bytes.size() - in.left();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const uint8_t worker = in.fixed<uint8_t>();
    if (in.sized_text().empty() || worker >= kWorkersMax) {
      in.fail();
    } else {
      workers |= uint64_t{1} << worker;
    }
  }
  const size_t end = bytes.size() - in.left();
  return {bytes.subspan(begin, end - begin), static_cast<size_t>(count)};
}

// A field that a writer leaves out rather than write its default: one message has one spelling.
uint64_t read_publisher(WireSource& in) {
  const uint64_t publisher = in.fixed<uint64_t>();
  if (publisher == 0) in.fail();
  return publisher;
}

Instant read_expiry(WireSource& in, Instant now) {
  const uint64_t ms = in.varint();
  if (ms > kExpiresMsMax) in.fail();
  return now + Duration::millis(static_cast<int64_t>(std::min(ms, kExpiresMsMax)));
}

}  // namespace

bool read_record(std::span<const uint8_t> bytes, Instant now, ForwardRecord& record,
                 RecordTotals& totals) {
  WireSource in(bytes);
  const uint64_t flags = in.varint();
  if (flags > kFlagsKnown || (flags & kQosMask) > static_cast<uint64_t>(Qos::k2)) return false;
  record = {};
  record.message.qos = static_cast<Qos>(flags & kQosMask);
  record.message.retain = (flags & kRetain) != 0;
  record.worker_mask = totals.workers = in.varint();
  if (flags & kPublisher) record.message.publisher = read_publisher(in);
  if (flags & kExpires) record.message.expires_at = read_expiry(in, now);
  if (flags & kPicks) record.picks = read_picks(in, bytes, totals.workers);
  if (flags & kExtra) in.sized_bytes();
  record.message.topic = in.sized_text();
  totals.large = (flags & kLarge) != 0;
  totals.properties_size = in.varint();
  if (totals.large) {
    totals.payload_size = in.varint();
  } else {
    record.message.properties = in.bytes(totals.properties_size);
    record.message.payload = in.bytes(in.left());
  }
  const size_t topic_size = record.message.topic.size();
  return in.ok() && in.left() == 0 && totals.workers != 0 && topic_size > 0 &&
         topic_size <= kTopicSizeMax;
}

}  // namespace forward_format

bool SharedPicks::next(SharedPick& pick) {
  if (count_ == 0) return false;
  WireSource in(bytes_);
  pick.worker = in.fixed<uint8_t>();
  pick.filter = in.sized_text();
  SHOAL_ASSERT(in.ok());  // read_picks has walked them
  bytes_ = in.bytes(in.left());
  --count_;
  return true;
}

ForwardBatchReader::ForwardBatchReader(const ForwardBatch& batch, Instant now)
    : batch_(batch), now_(now), left_(batch.records) {
  ok_ = !left_.empty() && left_.front() == forward_format::kRecordsFormat;
  if (ok_) left_ = left_.subspan(1);
}

bool ForwardBatchReader::next(ForwardRecord& record) {
  forward_format::RecordTotals totals;
  if (!step(record, totals)) return false;
  if (totals.large) {
    SHOAL_ASSERT(batch_.large.size() == 1);
    record.large = batch_.large.front();
    record.message = record.large->view();
  }
  return true;
}

bool ForwardBatchReader::step(ForwardRecord& record, forward_format::RecordTotals& totals) {
  if (!ok_) return false;
  if (left_.empty()) return finish();
  WireSource in(left_);
  const std::span<const uint8_t> bytes = in.bytes(in.fixed<uint32_t>());
  if (!in.ok() || !forward_format::read_record(bytes, now_, record, totals)) return fail();
  left_ = in.bytes(in.left());
  workers_ |= totals.workers;
  large_ |= totals.large;
  ++messages_;
  if (record.message.qos != Qos::k0 || totals.large) {
    record.number = batch_.first_number + numbered_++;
  }
  return true;
}

bool ForwardBatchReader::fail() { return ok_ = false; }

bool ForwardBatchReader::finish() {
  const uint64_t first = batch_.first_number;
  const uint64_t last = batch_.last_number;
  const bool numbers_fit = numbered_ == 0
                               ? first == 0 && last == 0
                               : first != 0 && last >= first && last - first == numbered_ - 1;
  ok_ = numbers_fit && messages_ > 0 && messages_ == batch_.messages &&
        workers_ == batch_.worker_mask && (!large_ || messages_ == 1);
  return false;
}

}  // namespace shoal
