// One turn of writing a connection's Output. It is bounded: to a client that reads as fast as we write,
// a message of hundreds of megabytes would leave at once, and the worker's other clients wait for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "node/broker/output.h"
#include "node/runtime/io_result.h"
#include "node/runtime/plain_io.h"

namespace shoal {

constexpr size_t kWriteTurnBytesMax = 1024 * 1024;

// Shortens `pieces` to `bytes_max` together; how many of them are left.
inline size_t shorten(std::span<std::span<const uint8_t>> pieces, size_t bytes_max) {
  size_t count = 0;
  for (; count < pieces.size() && bytes_max != 0; ++count) {
    pieces[count] = pieces[count].first(std::min(pieces[count].size(), bytes_max));
    bytes_max -= pieces[count].size();
  }
  return count;
}

// Calls `write(pieces)` until the output is empty, the socket full, or the turn over: then kWantWrite,
// as if it were full, so that the next turn goes on.
template <class Write>
IoResult write_turn(Output& output, Write&& write) {
  IoResult total;
  std::array<std::span<const uint8_t>, kGatheredPieces> pieces;
  while (total.status == IoResult::Status::kOpen && !output.empty()) {
    const size_t left = kWriteTurnBytesMax - total.bytes;
    if (left == 0) return {IoResult::Status::kWantWrite, total.bytes};
    const size_t count = shorten(std::span(pieces).first(output.gather(pieces)), left);
    const IoResult one = write(std::span<const std::span<const uint8_t>>(pieces).first(count));
    output.consume(one.bytes);
    total.bytes += one.bytes;
    total.status = one.status;
  }
  return total;
}

}  // namespace shoal
