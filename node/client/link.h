// A blocking MQTT connection over TCP or TLS, for the tools of the command line: they do one thing
// at a time, so that a thread that waits is all the machinery they need. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "node/codec/decode.h"
#include "shoal/types.h"

struct ssl_ctx_st;
struct ssl_st;

namespace shoal {

struct LinkTarget {
  std::string host = "127.0.0.1";
  uint16_t port = 1883;
  std::string ca_file;  // TLS, verified against it, when not empty
};

// What failed, in one line for a person.
struct LinkError {
  std::string text;
};

class ClientLink {
 public:
  ClientLink() = default;
  ~ClientLink();
  ClientLink(const ClientLink&) = delete;
  ClientLink& operator=(const ClientLink&) = delete;

  // Resolves, connects (each address in turn, `timeout` each), and shakes hands.
  std::optional<LinkError> open(const LinkTarget& target, Duration timeout);
  void close();
  bool is_open() const { return socket_ >= 0; }

  std::optional<LinkError> send(std::span<const uint8_t> bytes);

  enum class Received : uint8_t { kPacket, kTimeout, kClosed, kBroken };
  // The next packet, decoded for `version` as from a server; its views live until the next call.
  // kBroken: what the server sent is no MQTT.
  Received receive(ProtocolVersion version, Duration timeout, Decoded& out);

 private:
  std::optional<LinkError> connect_socket(const LinkTarget& target, Duration timeout);
  std::optional<LinkError> start_tls(const LinkTarget& target);
  std::ptrdiff_t read_some(std::span<uint8_t> into);
  bool has_buffered() const;
  bool wait_readable(Duration timeout);

  int socket_ = -1;
  ssl_ctx_st* tls_context_ = nullptr;
  ssl_st* tls_ = nullptr;
  std::vector<uint8_t> received_;
  size_t used_ = 0;  // of received_, by the packet that was given out last
};

}  // namespace shoal
