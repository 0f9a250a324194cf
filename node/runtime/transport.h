// What stands between a socket and the broker where it is not plain TCP: a PROXY header, TLS,
// WebSocket frames. A plain connection has no Transport at all (plain_io.h); so its path has no
// virtual call, and idle it costs nothing here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "node/runtime/io_result.h"

namespace shoal {

class Output;

class Transport {
 public:
  virtual ~Transport() = default;

  // Until it says kDone: to be called when the socket is ready for what the last call waited for.
  // `buffer` is the worker's, to be used meanwhile.
  struct Opening {
    enum class Step : uint8_t { kDone, kRead, kWrite, kFailed };
    Step step = Step::kRead;
    std::string why;  // kFailed: for the log; empty: not worth a line (a health check)
  };
  virtual Opening open(std::span<uint8_t> buffer) = 0;

  // After kDone. What the client is: empty where this transport does not know better.
  virtual std::string address() const { return {}; }
  virtual std::string tls_identity() const { return {}; }
  // Not nothing when this object has done its work: what takes its place, null for plain TCP. To be
  // asked once, after kDone; then nothing else of this object but the two above is called.
  virtual std::optional<std::unique_ptr<Transport>> successor() { return std::nullopt; }

  // The next bytes of MQTT, as read() of a socket gives them; like those written, none lost and in
  // their order [MQTT5-4.2-1].
  virtual IoResult read(std::span<uint8_t> buffer) = 0;
  // More can be read although the socket may not say so.
  virtual bool has_more() const = 0;
  // Writes from `output` until it is empty, the socket full or the turn over (write_turn.h), and
  // consumes what it took over.
  virtual IoResult write(Output& output) = 0;
  // Bytes that were taken from an Output, or are the transport's own, and are not written yet.
  virtual bool is_flushed() const = 0;
  // Says good-bye in the transport's own words, as far as the socket takes them at once.
  virtual void say_goodbye() = 0;
};

}  // namespace shoal
