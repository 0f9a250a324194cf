// How the decode fuzzer's input is laid out: one byte that picks version and direction, then a
// stream of packets as it would come from a socket.
#pragma once

#include "node/codec/decode.h"
#include "tests/codec/bytes.h"

namespace shoal {

struct FuzzInput {
  ProtocolVersion version;
  Sender sender;
  ByteView stream;
};

inline FuzzInput fuzz_input_of(ByteView data) {
  const uint8_t choice = data.empty() ? 0 : data[0];
  constexpr ProtocolVersion kVersions[] = {ProtocolVersion::kMqtt5, ProtocolVersion::kMqtt311,
                                           ProtocolVersion::kMqtt31};
  return {kVersions[(choice >> 1) % 3], (choice & 1) != 0 ? Sender::kServer : Sender::kClient,
          data.subspan(data.empty() ? 0 : 1)};
}

inline Bytes fuzz_input(ProtocolVersion version, Sender sender, const Bytes& stream) {
  const int version_choice = static_cast<int>(ProtocolVersion::kMqtt5) - static_cast<int>(version);
  const int choice = version_choice << 1 | (sender == Sender::kServer ? 1 : 0);
  return Bytes{static_cast<uint8_t>(choice)} + stream;
}

}  // namespace shoal
