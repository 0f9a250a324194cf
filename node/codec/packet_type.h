// MQTT Control Packet types (5.0: 2.1.2).
#pragma once

#include <cstdint>
#include <string_view>

namespace shoal {

enum class PacketType : uint8_t {
  kReserved = 0,
  kConnect = 1,
  kConnAck = 2,
  kPublish = 3,
  kPubAck = 4,
  kPubRec = 5,
  kPubRel = 6,
  kPubComp = 7,
  kSubscribe = 8,
  kSubAck = 9,
  kUnsubscribe = 10,
  kUnsubAck = 11,
  kPingReq = 12,
  kPingResp = 13,
  kDisconnect = 14,
  kAuth = 15,
};

// The standard's name, "PUBLISH" for instance.
std::string_view name_of(PacketType type);

}  // namespace shoal
