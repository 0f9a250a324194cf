// A byte stream over a socket: plain, or TLS (tls_stream.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "node/runtime/io_result.h"

namespace shoal {

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Until the stream can be used: kOpen when it can, kWantRead, kWantWrite, or kClosed for a
  // handshake that failed; failure() says why.
  virtual IoResult open() = 0;
  virtual std::string failure() const { return {}; }

  virtual IoResult read(std::span<uint8_t> buffer) = 0;
  // Bytes can be read although the socket may not say so.
  virtual bool has_more() const = 0;
  // kOpen: all pieces are written; kWantWrite: `bytes` of them. What was not taken must be offered
  // again, the same bytes first, before anything else.
  virtual IoResult write(std::span<const std::span<const uint8_t>> pieces) = 0;
  virtual void say_goodbye() = 0;
  virtual std::string tls_identity() const { return {}; }
};

}  // namespace shoal
