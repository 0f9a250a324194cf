// The bytes that wait to be written to one connection: a list of chunks from the worker's pool, and
// of large payloads that stay where they are. Empty, it owns nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shoal/message.h"

namespace shoal {

class ChunkPool;
struct Chunk;

class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // ---- for the runtime

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  // The first pieces, in order, as many as `pieces` takes; how many it filled. They stay valid
  // until they are consumed.
  size_t gather(std::span<std::span<const uint8_t>> pieces) const;
  // The first `bytes` are written, or no longer wanted.
  void consume(size_t bytes);
  // The broker holds something back until there is room: call Broker::on_written once bytes() is
  // at most Limits::output_bytes_low.
  bool wants_room() const { return wants_room_; }

  // ---- for the broker

  void attach(ChunkPool& pool) { pool_ = &pool; }
  void want_room(bool wants) { wants_room_ = wants; }
  // Room for exactly `size` bytes in one piece, counted as written; the caller fills it at once.
  uint8_t* append(size_t size);
  // A part of `owner`'s payload, by reference.
  void append_shared(std::span<const uint8_t> part, MessageRef owner);
  void clear() { consume(bytes_); }

 private:
  void drop_front();

  ChunkPool* pool_ = nullptr;
  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  size_t bytes_ = 0;
  bool wants_room_ = false;
};

}  // namespace shoal
