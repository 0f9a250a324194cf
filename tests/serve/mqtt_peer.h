// A client of a running node: packets go out, the answers come back one at a time.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "node/client/link.h"
#include "node/codec/encode.h"

namespace shoal {

class MqttPeer {
 public:
  explicit MqttPeer(uint16_t port) {
    LinkTarget target;
    target.port = port;
    const auto error = link_.open(target, kPatience);
    EXPECT_FALSE(error.has_value()) << error->text;
  }

  template <class Packet>
  void send(const Packet& packet) {
    std::vector<uint8_t> bytes;
    encode_to(bytes, packet, ProtocolVersion::kMqtt5);
    EXPECT_FALSE(link_.send(bytes).has_value());
  }
  // The next packet, which must be of this kind; its views live until the next call.
  template <class Packet>
  Packet receive() {
    const auto received = link_.receive(ProtocolVersion::kMqtt5, kPatience, packet_);
    EXPECT_EQ(received, ClientLink::Received::kPacket);
    const auto* const packet = std::get_if<Packet>(&packet_);
    EXPECT_NE(packet, nullptr) << "another packet: " << packet_.index();
    return packet != nullptr ? *packet : Packet{};
  }

 private:
  static constexpr Duration kPatience = Duration::seconds(30);
  ClientLink link_;
  Decoded packet_;
};

}  // namespace shoal
