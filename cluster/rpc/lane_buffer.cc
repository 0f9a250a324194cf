#include "cluster/rpc/lane_buffer.h"

#include <algorithm>

#include "cluster/rpc/frames.h"
#include "shoal/assert.h"

namespace shoal {

void LaneBuffer::append(std::span<const uint8_t> frame, Instant now) {
  const size_t size = kFramePrefixBytes + frame.size();
  if (batches_.empty()) oldest_at_ = now;
  if (batches_.empty() || batches_.back().size() + size > kBatchBytesMax) {
    batches_.push_back(std::move(spare_));
    spare_ = {};
  }
  append_frame(batches_.back(), frame);
  bytes_ += size;
}

Instant LaneBuffer::due() const {
  if (batches_.empty()) return Instant::never();
  if (bytes_ >= kCutBytes) return oldest_at_;
  return std::max(oldest_at_, last_write_at_ + spacing_);
}

void LaneBuffer::take(std::string& batch, Instant now) {
  SHOAL_ASSERT(!batches_.empty());
  batch.swap(batches_.front());
  bytes_ -= batch.size();
  spare_ = std::move(batches_.front());
  spare_.clear();
  if (spare_.capacity() > kBatchBytesMax) spare_ = {};
  batches_.pop_front();
  last_write_at_ = now;
  oldest_at_ = now;  // of what is left: it has waited already, but not for a write of its own
}

}  // namespace shoal
