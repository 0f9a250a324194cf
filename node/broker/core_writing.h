// How packets are completed and written: the bodies of Core's templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "node/broker/core.h"

namespace shoal {

// A Reason String for people, if the client wants such [MQTT5-3.1.2-29] and its packet does not grow
// too large by it. User Properties of our own are never sent, which settles what the standard says of
// them [MQTT5-3.2.2-20] [MQTT5-3.4.2-3] [MQTT5-3.5.2-3] [MQTT5-3.6.2-3] [MQTT5-3.7.2-3]
// [MQTT5-3.9.2-2] [MQTT5-3.11.2-2] [MQTT5-3.14.2-4] [MQTT5-3.15.2-3]; PUBREL, PUBCOMP, UNSUBACK and
// AUTH never carry a Reason String either [MQTT5-3.6.2-2] [MQTT5-3.7.2-2] [MQTT5-3.11.2-1]
// [MQTT5-3.15.2-2].
template <class Packet>
void Core::explain(const Connection& c, Packet& packet, std::string_view why) {
  if (!c.problem_information || c.version != ProtocolVersion::kMqtt5) return;
  packet.reason_string = why;
  if (encoded_size(packet, c.version) > c.packet_size_max) packet.reason_string.reset();
}

// CONNACK or DISCONNECT of 5.0: why, and where else to go if that is configured; less of it where the
// packet would grow too large for the client [MQTT5-3.2.2-19] [MQTT5-3.14.2-3]. False: it is too large
// without it, and may not be sent [MQTT5-3.1.2-24].
template <class Packet>
bool Core::complete_refusal(const Connection& c, Packet& packet, ReasonCode reason,
                            std::string_view detail) const {
  const auto fits = [&] { return encoded_size(packet, c.version) <= c.packet_size_max; };
  if (!detail.empty()) packet.reason_string = detail;
  const bool goes_elsewhere =
      reason == ReasonCode::kUseAnotherServer || reason == ReasonCode::kServerMoved;
  if (goes_elsewhere && !config_.server_reference.empty()) {
    packet.server_reference = config_.server_reference;
  }
  if (!fits()) packet.reason_string.reset();
  if (!fits()) packet.server_reference.reset();
  return fits();
}

template <class Packet>
uint8_t* Core::write(Connection& c, const Packet& packet) {
  const size_t size = encoded_size(packet, c.version);
  uint8_t* const out = c.output.append(size);
  encode(packet, c.version, out);
  count_out(c, size);
  return out;
}

}  // namespace shoal
