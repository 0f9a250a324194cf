#include "node/broker/chunk_pool.h"

#include <algorithm>
#include <new>
#include <utility>

namespace shoal {
namespace {

// With ten calls a second half of a surplus is gone in a second.
constexpr size_t kTrimmedPart = 16;

Chunk* allocate(size_t total) {
  Chunk* const chunk = new (::operator new(total)) Chunk;
  chunk->capacity = static_cast<uint32_t>(total - sizeof(Chunk));
  chunk->data = chunk->storage();
  return chunk;
}

void release(Chunk* chunk) {
  chunk->~Chunk();
  ::operator delete(chunk);
}

void release_all(Chunk* chunk) {
  while (chunk) {
    Chunk* const next = chunk->next;
    release(chunk);
    chunk = next;
  }
}

}  // namespace

ChunkPool::~ChunkPool() {
  release_all(views_.spare);
  for (Kind& kind : kinds_) release_all(kind.spare);
}

Chunk* ChunkPool::take(size_t size, size_t last) {
  for (Kind& kind : kinds_) {
    const size_t capacity = kind.total - sizeof(Chunk);
    const bool is_larger = capacity > last || &kind == &kinds_.back();
    if (is_larger && size <= capacity) return take_of(kind);
  }
  return allocate(size + sizeof(Chunk));
}

Chunk* ChunkPool::take_view(const uint8_t* data, uint32_t size, MessageRef owner) {
  Chunk* const chunk = take_of(views_);
  chunk->data = data;
  chunk->end = size;
  chunk->owner = std::move(owner);
  return chunk;
}

Chunk* ChunkPool::take_of(Kind& kind) {
  if (!kind.spare) return allocate(kind.total);
  Chunk* const chunk = pop(kind);
  spare_low_ = std::min(spare_low_, spare_bytes_);
  chunk->next = nullptr;
  chunk->begin = chunk->end = 0;
  return chunk;
}

void ChunkPool::give_back(Chunk* chunk) {
  const size_t total = chunk->capacity + sizeof(Chunk);
  chunk->owner = MessageRef();
  if (chunk->capacity == 0) return keep(views_, chunk);
  for (Kind& kind : kinds_) {
    if (total == kind.total) return keep(kind, chunk);
  }
  release(chunk);
}

void ChunkPool::keep(Kind& kind, Chunk* chunk) {
  if (spare_bytes_ + kind.total > kSpareBytesMax) return release(chunk);
  chunk->next = kind.spare;
  kind.spare = chunk;
  spare_bytes_ += kind.total;
}

Chunk* ChunkPool::pop(Kind& kind) {
  Chunk* const chunk = kind.spare;
  kind.spare = chunk->next;
  spare_bytes_ -= kind.total;
  return chunk;
}

void ChunkPool::trim() {
  size_t surplus = spare_low_ / kTrimmedPart;
  const auto trim_one = [&](Kind& kind) {
    for (; kind.spare && surplus >= kind.total; surplus -= kind.total) release(pop(kind));
  };
  for (size_t i = kinds_.size(); i-- > 0;) trim_one(kinds_[i]);
  trim_one(views_);
  spare_low_ = spare_bytes_;
}

}  // namespace shoal
