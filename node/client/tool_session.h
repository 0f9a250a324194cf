// What `shoal pub` and `shoal sub` share of an MQTT session: the CONNECT and its outcome, keeping
// alive, saying goodbye. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/client/client_options.h"
#include "node/client/link.h"
#include "node/codec/encode.h"

namespace shoal {

class ToolSession {
 public:
  explicit ToolSession(const ClientOptions& options);

  // Connects and waits for the CONNACK; what failed, if it did.
  std::optional<LinkError> open();
  void close();  // DISCONNECT first

  template <class Packet>
  std::optional<LinkError> send(const Packet& packet) {
    outgoing_.clear();
    encode_to(outgoing_, packet, options_.version);
    return link_.send(outgoing_);
  }
  std::optional<LinkError> send_ack(PacketType type, uint16_t packet_id);

  // The next packet but PINGRESP, waited for until `timeout` at most; the connection is kept alive
  // meanwhile.
  ClientLink::Received receive(Duration timeout, Decoded& out);
  // Why receive() gave kClosed or kBroken, or what a DISCONNECT said.
  static std::string text_of(ClientLink::Received received, const Decoded& packet);

  const ClientOptions& options() const { return options_; }

 private:
  std::optional<LinkError> send_connect();
  std::optional<LinkError> wait_connack();

  const ClientOptions& options_;
  std::string client_id_;
  ClientLink link_;
  std::vector<uint8_t> outgoing_;
};

// Runs `shoal pub`, `shoal sub` with the words after the command; the exit status.
int run_pub(int argc, const char* const* argv);
int run_sub(int argc, const char* const* argv);

}  // namespace shoal
