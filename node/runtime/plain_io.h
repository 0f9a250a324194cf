// Reading and writing a plain socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "node/runtime/io_result.h"

namespace shoal {

class Output;

// Pieces of one write. A chunk of the broker's pool holds many packets, so few writes have more.
constexpr size_t kGatheredPieces = 64;

// One read. kOpen when it filled the buffer (there may be more), kWantRead when it was short.
IoResult read_socket(int fd, std::span<uint8_t> buffer);

// One gathered write of at most kGatheredPieces: kOpen when it took all of them.
IoResult write_socket(int fd, std::span<const std::span<const uint8_t>> pieces);

// Gathered writes from `output` until it is empty (kOpen), or the socket full or the turn over
// (kWantWrite).
IoResult write_socket(int fd, Output& output);

}  // namespace shoal
