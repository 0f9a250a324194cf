// Memory for outputs: chunks of three sizes, kept for reuse when they are empty again, so that a busy
// worker does not ask the allocator for each packet. One thread.
#pragma once

#include <array>
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
  // Of a chunk, header included. A connection that gets a packet now and then takes the smallest, were
  // it one of ten thousand that are all answered in one turn; one with more to write takes larger ones
  // behind it, so that a gathered write has few pieces.
  static constexpr std::array<size_t, 3> kSizes{256, 1024, 16 * 1024};
  static constexpr size_t kSpareBytesMax = 4 * 1024 * 1024;

  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // With room for at least `size` bytes; larger than one of `last` bytes of capacity, before it.
  Chunk* take(size_t size, size_t last);
  Chunk* take_view(const uint8_t* data, uint32_t size, MessageRef owner);
  void give_back(Chunk* chunk);
  // Gives a part of what was spare ever since the last call back to the allocator: so that a burst's
  // memory goes, by and by, and that of steady traffic stays.
  void trim();

  size_t spare_bytes() const { return spare_bytes_; }

 private:
  struct Kind {
    size_t total;
    Chunk* spare = nullptr;
  };

  Chunk* take_of(Kind& kind);
  void keep(Kind& kind, Chunk* chunk);
  Chunk* pop(Kind& kind);

  Kind views_{sizeof(Chunk)};
  std::array<Kind, kSizes.size()> kinds_{{{kSizes[0]}, {kSizes[1]}, {kSizes[2]}}};
  size_t spare_bytes_ = 0;
  size_t spare_low_ = 0;  // the least since the last trim()
};

}  // namespace shoal
