// The PUBLISH headers of one message, encoded once for each protocol version and kind of QoS however
// many subscribers it has: flags and packet identifier are patched in each copy.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "node/codec/encode.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

// What is left of a Message Expiry Interval, in whole seconds begun [MQTT5-3.3.2-6].
std::optional<uint32_t> remaining_expiry_s(const MessageView& message, Instant now);

class HeaderCache {
 public:
  struct Header {
    PublishPatch patch;
    std::vector<uint8_t> bytes;
    bool made = false;
  };

  // For the next message.
  void reset() {
    for (Header& header : headers_) header.made = false;
  }
  // Without identifiers and alias; QoS 1 and 2 differ in the first byte only.
  const Header& get(const MessageView& message, ProtocolVersion version, Qos qos, Instant now);

 private:
  std::array<Header, 4> headers_;
};

}  // namespace shoal
