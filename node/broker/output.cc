#include "node/broker/output.h"

#include "node/broker/chunk_pool.h"
#include "shoal/assert.h"

namespace shoal {

size_t Output::gather(std::span<std::span<const uint8_t>> pieces) const {
  size_t count = 0;
  for (const Chunk* chunk = first_; chunk && count < pieces.size(); chunk = chunk->next) {
    pieces[count++] = {chunk->data + chunk->begin, chunk->end - chunk->begin};
  }
  return count;
}

void Output::consume(size_t bytes) {
  SHOAL_ASSERT(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    const size_t here = first_->end - first_->begin;
    if (bytes < here) {
      first_->begin += static_cast<uint32_t>(bytes);
      return;
    }
    bytes -= here;
    drop_front();
  }
}

void Output::drop_front() {
  Chunk* const chunk = first_;
  first_ = chunk->next;
  if (!first_) last_ = nullptr;
  pool_->give_back(chunk);
}

uint8_t* Output::append(size_t size) {
  if (!last_ || last_->room() < size) {
    // Behind a view the smallest: headers between large payloads stay small.
    Chunk* const chunk = pool_->take(size, last_ ? last_->capacity : 0);
    (last_ ? last_->next : first_) = chunk;
    last_ = chunk;
  }
  uint8_t* const at = last_->storage() + last_->end;
  last_->end += static_cast<uint32_t>(size);
  bytes_ += size;
  return at;
}

void Output::append_shared(std::span<const uint8_t> part, MessageRef owner) {
  if (part.empty()) return;
  Chunk* const chunk =
      pool_->take_view(part.data(), static_cast<uint32_t>(part.size()), std::move(owner));
  (last_ ? last_->next : first_) = chunk;
  last_ = chunk;
  bytes_ += part.size();
}

}  // namespace shoal
