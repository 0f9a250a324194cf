// Memory for outputs: chunks of two sizes, kept for reuse when they are empty again, so that a busy
// worker does not ask the allocator for each packet. One thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shoal/message.h"

namespace shoal {

// A piece of an output: bytes behind this header, or a view into `owner`'s payload.
struct Chunk {
  Chunk* next = nullptr;
  const uint8_t* data = nullptr;
  uint32_t begin = 0;     // first byte not consumed yet
  uint32_t end = 0;       // behind the last byte written
  uint32_t capacity = 0;  // 0 for a view
  MessageRef owner;

  uint32_t room() const { return capacity > end ? capacity - end : 0; }
  uint8_t* storage() { return reinterpret_cast<uint8_t*>(this + 1); }
};

class ChunkPool {
 public:
  // A connection that gets a packet now and then takes little; one with more to write takes large
  // chunks, so that a gathered write has few pieces.
  static constexpr size_t kSmall = 1024;       // bytes, header included
  static constexpr size_t kLarge = 16 * 1024;  // likewise
  static constexpr size_t kSpareBytesMax = 4 * 1024 * 1024;

  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // With room for at least `size` bytes.
  Chunk* take(size_t size, bool large);
  Chunk* take_view(const uint8_t* data, uint32_t size, MessageRef owner);
  void give_back(Chunk* chunk);

 private:
  Chunk* take_of(Chunk*& spare, size_t total);
  void keep(Chunk*& spare, Chunk* chunk, size_t total);

  Chunk* small_ = nullptr;  // spare ones
  Chunk* large_ = nullptr;
  Chunk* views_ = nullptr;
  size_t spare_bytes_ = 0;
};

}  // namespace shoal
