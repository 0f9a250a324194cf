// One worker's broker without sockets, for benchmarks: bytes in, bytes out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "node/broker/broker.h"
#include "node/codec/encode.h"

namespace shoal {

class Bench {
 public:
  explicit Bench(ProtocolVersion version) : version_(version), broker_({}, 1) {
    broker_.on_mail(AckUntil{Instant::never()}, now_);
  }

  ConnId connect(const std::string& client_id) {
    const ConnId conn = broker_.on_accept({}, now_);
    Connect packet;
    packet.version = version_;
    packet.client_id = client_id;
    packet.clean_start = true;
    send(conn, packet);
    broker_.on_credentials(conn, {}, now_);
    broker_.on_mail(ClaimAnswer{.conn = conn, .client_id = client_id}, now_);
    SessionAttached nothing;
    nothing.conn = conn;
    nothing.client_id = client_id;
    broker_.on_mail(FromStore(nothing), now_);
    end_turn();
    return conn;
  }
  void subscribe(ConnId conn, const std::string& filter, Qos qos) {
    std::vector<uint8_t> list;
    append_subscription({.filter = filter, .qos = qos}, list);
    Subscribe packet;
    packet.packet_id = 1;
    packet.subscriptions = SubscriptionList::of_valid(list);
    send(conn, packet);
    end_turn();
    broker_.on_mail(RoutesSynced{UINT64_MAX / 2}, now_);
    end_turn();
  }
  template <class Packet>
  void send(ConnId conn, const Packet& packet) {
    std::vector<uint8_t> bytes;
    encode_to(bytes, packet, version_);
    broker_.on_bytes(conn, bytes, now_);
  }
  void bytes(ConnId conn, std::span<const uint8_t> bytes) { broker_.on_bytes(conn, bytes, now_); }
  // Returns how many bytes were written.
  size_t end_turn() {
    size_t written = 0;
    Effects& effects = broker_.end_turn(now_);
    for (const ConnId conn : effects.dirty) {
      Output& output = broker_.output(conn);
      written += output.bytes();
      output.consume(output.bytes());
    }
    if (effects.more) broker_.on_more(now_);
    now_.mono = now_.mono + Duration{1000};
    return written;
  }
  Broker& broker() { return broker_; }

 private:
  ProtocolVersion version_;
  Now now_{Instant{1'000'000'000'000}, 1'700'000'000'000};
  Broker broker_;
};

inline std::vector<uint8_t> publishes(ProtocolVersion version, const std::string& topic, Qos qos,
                                      size_t payload_size, uint16_t count) {
  const std::string payload(payload_size, 'x');
  std::vector<uint8_t> bytes;
  for (uint16_t i = 1; i <= count; ++i) {
    Publish packet;
    packet.topic = topic;
    packet.qos = qos;
    packet.packet_id = qos == Qos::k0 ? 0 : i;
    packet.payload = bytes_of(payload);
    encode_to(bytes, packet, version);
  }
  return bytes;
}

// PUBACKs of the `count` messages that one session was sent after `sent` others.
inline std::vector<uint8_t> pubacks(uint32_t sent, uint32_t count) {
  std::vector<uint8_t> bytes;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t id = (sent + i) % 65'535 + 1;
    bytes.insert(bytes.end(), {0x40, 2, static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)});
  }
  return bytes;
}

}  // namespace shoal
