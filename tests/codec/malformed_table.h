// What a server must refuse on its wire, each with the reason code that MQTT 5.0 names: for the
// decoder's tests and, over a socket, for a whole broker. A header alone, for any test program.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/codec/reason_code.h"
#include "shoal/types.h"
#include "tests/codec/bytes.h"

namespace shoal {

// When a client sends the bytes.
enum class Phase : uint8_t {
  kFirst,      // as the first bytes of its connection: they are a CONNECT
  kConnected,  // after CONNACK 0
};

// What a server does: it closes the connection in any case, and before that sends
enum class Answer : uint8_t {
  kConnAck,     // a CONNACK of `answer_as` with the reason [MQTT5-4.13.2-1]
  kDisconnect,  // DISCONNECT with the reason (5.0) [MQTT5-4.13.1-1]
  kNothing,     // nothing [MQTT311-4.8.0-1] [MQTT311-3.1.4-1]
};

struct MalformedCase {
  std::string
      name;  // begins with the tags of the statements that it breaks, where it breaks numbered ones
  ProtocolVersion version = ProtocolVersion::kMqtt5;  // what the connection speaks
  Phase phase = Phase::kConnected;
  Bytes bytes;
  ReasonCode reason = ReasonCode::kMalformedPacket;
  Answer answer = Answer::kDisconnect;
  std::optional<ProtocolVersion> answer_as{};  // with kConnAck
};

// A row for bytes after CONNACK.
inline MalformedCase refused_packet(std::string name, ProtocolVersion version, Bytes bytes,
                                    ReasonCode reason) {
  return {.name = std::move(name),
          .version = version,
          .bytes = std::move(bytes),
          .reason = reason,
          .answer = version == ProtocolVersion::kMqtt5 ? Answer::kDisconnect : Answer::kNothing};
}

// A row for a CONNECT. `answer_as` is none where the connection is just closed.
inline MalformedCase refused_connect(std::string name, ProtocolVersion version, Bytes bytes,
                                     ReasonCode reason, std::optional<ProtocolVersion> answer_as) {
  return {.name = std::move(name),
          .version = version,
          .phase = Phase::kFirst,
          .bytes = std::move(bytes),
          .reason = reason,
          .answer = answer_as ? Answer::kConnAck : Answer::kNothing,
          .answer_as = answer_as};
}

// A 5.0 CONNECT that the version alone would let pass.
inline MalformedCase refused_connect_5(std::string name, Bytes bytes, ReasonCode reason) {
  return refused_connect(std::move(name), ProtocolVersion::kMqtt5, std::move(bytes), reason,
                         ProtocolVersion::kMqtt5);
}

}  // namespace shoal
