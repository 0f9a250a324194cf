#include "node/broker/chunk_pool.h"

#include <new>

namespace shoal {
namespace {

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
  release_all(small_);
  release_all(large_);
  release_all(views_);
}

Chunk* ChunkPool::take(size_t size, bool large) {
  if (!large && size <= kSmall - sizeof(Chunk)) return take_of(small_, kSmall);
  if (size <= kLarge - sizeof(Chunk)) return take_of(large_, kLarge);
  return allocate(size + sizeof(Chunk));
}

Chunk* ChunkPool::take_view(const uint8_t* data, uint32_t size, MessageRef owner) {
  Chunk* const chunk = take_of(views_, sizeof(Chunk));
  chunk->data = data;
  chunk->end = size;
  chunk->owner = std::move(owner);
  return chunk;
}

Chunk* ChunkPool::take_of(Chunk*& spare, size_t total) {
  if (!spare) return allocate(total);
  Chunk* const chunk = spare;
  spare = chunk->next;
  spare_bytes_ -= total;
  chunk->next = nullptr;
  chunk->begin = chunk->end = 0;
  return chunk;
}

void ChunkPool::give_back(Chunk* chunk) {
  const size_t total = chunk->capacity + sizeof(Chunk);
  chunk->owner = MessageRef();
  if (chunk->capacity == 0) return keep(views_, chunk, total);
  if (total == kSmall) return keep(small_, chunk, total);
  if (total == kLarge) return keep(large_, chunk, total);
  release(chunk);
}

void ChunkPool::keep(Chunk*& spare, Chunk* chunk, size_t total) {
  if (spare_bytes_ + total > kSpareBytesMax) return release(chunk);
  chunk->next = spare;
  spare = chunk;
  spare_bytes_ += total;
}

}  // namespace shoal
