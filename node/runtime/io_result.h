// How a read or a write on a non-blocking socket ended.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal {

struct IoResult {
  enum class Status : uint8_t {
    kOpen,       // and nothing stands in the way of more
    kWantRead,   // wait until the socket is readable
    kWantWrite,  // wait until it is writable
    kClosed,     // by the other side, or broken
  };
  Status status = Status::kOpen;
  size_t bytes = 0;
};

}  // namespace shoal
