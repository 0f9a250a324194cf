// What begins well and never ends: a server waits for the rest, bounded by its timeouts, and meanwhile
// serves others. A header alone, for any test program.
#pragma once

#include <string>
#include <vector>

#include "tests/codec/malformed_table.h"

namespace shoal {

struct UnfinishedCase {
  std::string name;
  ProtocolVersion version;
  Phase phase;
  Bytes bytes;
};

inline std::vector<UnfinishedCase> unfinished_packets() {
  constexpr ProtocolVersion k5 = ProtocolVersion::kMqtt5;
  constexpr ProtocolVersion k311 = ProtocolVersion::kMqtt311;
  return {
      {"nothing", k5, Phase::kFirst, {}},
      {"the first byte of a CONNECT", k5, Phase::kFirst, bytes("10")},
      {"half a Remaining Length", k5, Phase::kFirst, bytes("10 FF")},
      {"a CONNECT without its last byte", k5, Phase::kFirst,
       bytes("10 0F 0004 'MQTT' 05 02 003C 00 0002 'i'")},
      {"a CONNECT without its last byte", k311, Phase::kFirst,
       bytes("10 0E 0004 'MQTT' 04 02 003C 0002 'i'")},
      {"the first byte of a PUBLISH", k5, Phase::kConnected, bytes("30")},
      {"three bytes of a Remaining Length", k311, Phase::kConnected, bytes("30 FFFFFF")},
      {"the largest PUBLISH, its header alone", k5, Phase::kConnected, bytes("30 FFFFFF7F")},
      {"the largest PUBLISH, its first bytes", k311, Phase::kConnected,
       bytes("30 FFFFFF7F 0001 'a' 'payload'")},
      {"a SUBSCRIBE without its options", k5, Phase::kConnected, bytes("82 07 0001 00 0001 'a'")},
      {"a PINGREQ without its length", k311, Phase::kConnected, bytes("C0")},
  };
}

}  // namespace shoal
