#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "node/rules/forward_batch.h"
#include "node/rules/forward_format.h"
#include "node/rules/wire_bytes.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

using namespace forward_format;

void append_bytes(std::vector<uint8_t>& out, const void* data, size_t size) {
  const uint8_t* const from = static_cast<const uint8_t*>(data);
  out.insert(out.end(), from, from + size);
}

void append_varint(std::vector<uint8_t>& out, uint64_t value) {
  std::array<uint8_t, kWireVarintSizeMax> buffer;
  const uint8_t* const end = put_varint(value, buffer.data());
  append_bytes(out, buffer.data(), static_cast<size_t>(end - buffer.data()));
}

void append_text(std::vector<uint8_t>& out, std::string_view text) {
  append_varint(out, text.size());
  append_bytes(out, text.data(), text.size());
}

uint64_t flags_of(const MessageView& message, bool picks, bool large) {
  return static_cast<uint64_t>(message.qos) | (message.retain ? kRetain : 0) |
         (message.publisher != 0 ? kPublisher : 0) |
         (message.expires_at != Instant::never() ? kExpires : 0) | (picks ? kPicks : 0) |
         (large ? kLarge : 0);
}

uint64_t remaining_ms(Instant expires_at, Instant now) {
  if (expires_at <= now) return 0;
  return std::min(static_cast<uint64_t>((expires_at - now).to_millis()), kExpiresMsMax);
}

// All that stands before the topic.
void append_head(std::vector<uint8_t>& out, uint64_t flags, const MessageView& message,
                 uint64_t worker_mask, std::span<const SharedPick> picks, Instant now) {
  std::array<uint8_t, kHeadSizeMax> head;
  uint8_t* at = put_fixed(uint32_t{0}, head.data());  // the size, known at the end
  at = put_varint(flags, at);
  at = put_varint(worker_mask, at);
  if (flags & kPublisher) at = put_fixed(message.publisher, at);
  if (flags & kExpires) at = put_varint(remaining_ms(message.expires_at, now), at);
  if (flags & kPicks) at = put_varint(picks.size(), at);
  append_bytes(out, head.data(), static_cast<size_t>(at - head.data()));
  for (const SharedPick& pick : picks) {
    out.push_back(pick.worker);
    append_text(out, pick.filter);
  }
}

void append_record(std::vector<uint8_t>& out, const MessageView& message, uint64_t worker_mask,
                   std::span<const SharedPick> picks, Instant now, bool large) {
  const size_t begin = out.size();
  append_head(out, flags_of(message, !picks.empty(), large), message, worker_mask, picks, now);
  append_text(out, message.topic);
  append_varint(out, message.properties.size());
  if (large) {
    append_varint(out, message.payload.size());
  } else {
    append_bytes(out, message.properties.data(), message.properties.size());
    append_bytes(out, message.payload.data(), message.payload.size());
  }
  const size_t size = out.size() - begin - sizeof(uint32_t);
  SHOAL_ASSERT(size <= UINT32_MAX);
  put_fixed(static_cast<uint32_t>(size), out.data() + begin);
}

uint64_t workers_of(uint64_t worker_mask, std::span<const SharedPick> picks) {
  for (const SharedPick& pick : picks) worker_mask |= uint64_t{1} << pick.worker;
  SHOAL_ASSERT(worker_mask != 0);
  return worker_mask;
}

}  // namespace

ForwardBatch& ForwardBatchWriter::open() {
  if (!open_) {
    open_ = std::make_shared<ForwardBatch>();
    open_->origin_worker = origin_;
    open_->records.reserve(reserve_);
    open_->records.push_back(kRecordsFormat);
  }
  return *open_;
}

void ForwardBatchWriter::close() {
  if (!open_) return;
  reserve_ = open_->records.size();
  closed_.push_back(std::exchange(open_, nullptr));
}

uint64_t ForwardBatchWriter::take_number(ForwardBatch& batch) {
  if (batch.first_number == 0) batch.first_number = next_number_;
  batch.last_number = next_number_;
  return next_number_++;
}

uint64_t ForwardBatchWriter::append(const MessageView& message, uint64_t worker_mask,
                                    std::span<const SharedPick> picks, Instant now) {
  ForwardBatch& batch = open();
  append_record(batch.records, message, worker_mask, picks, now, false);
  batch.worker_mask |= workers_of(worker_mask, picks);
  ++batch.messages;
  const uint64_t number = message.qos == Qos::k0 ? 0 : take_number(batch);
  if (batch.records.size() >= kBatchBytes) close();
  return number;
}

uint64_t ForwardBatchWriter::append_large(MessageRef message, uint64_t worker_mask,
                                          std::span<const SharedPick> picks, Instant now) {
  SHOAL_ASSERT(message->properties().size() + message->payload().size() > 0);
  close();  // numbers ascend within a batch: what comes later needs another
  ForwardBatch& batch = open();
  append_record(batch.records, message->view(), worker_mask, picks, now, true);
  batch.worker_mask = workers_of(worker_mask, picks);
  batch.messages = 1;
  batch.large.push_back(std::move(message));
  const uint64_t number = take_number(batch);
  closed_.push_back(std::exchange(open_, nullptr));
  return number;
}

void ForwardBatchWriter::finish(std::vector<ForwardBatchRef>& out) {
  close();
  out.insert(out.end(), std::make_move_iterator(closed_.begin()),
             std::make_move_iterator(closed_.end()));
  closed_.clear();
}

ForwardBatchRef batch_of_one(WorkerIndex origin, const MessageRef& message, uint64_t worker_mask,
                             std::span<const SharedPick> picks, const Limits& limits, Instant now) {
  ForwardBatchWriter writer(origin);
  if (travels_by_reference(message->view(), limits)) {
    writer.append_large(message, worker_mask, picks, now);
  } else {
    writer.append(message->view(), worker_mask, picks, now);
  }
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  SHOAL_ASSERT(batches.size() == 1);
  return std::move(batches.front());
}

}  // namespace shoal
