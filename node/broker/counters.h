// What a broker counts, for /metrics and tests. Plain numbers of one worker; the reader adds
// workers up. Those that only grow are named in the plural of what happened, gauges say "now".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace shoal {

// Why a message did not reach a subscriber (or a peer) that wanted it.
enum class DropReason : uint8_t {
  kOutputFull,      // QoS 0 for a connection above output_bytes_max
  kExpired,         // Message Expiry Interval
  kPacketTooLarge,  // above the client's Maximum Packet Size [MQTT5-3.1.2-25]
  kPeerCongested,   // QoS 0 for a peer whose queue is full
  kNotAllowed,      // the subscriber may not receive it, or the publisher not publish it
  kNoMember,        // a shared subscription whose member could not be found any more
  kSystemTopic,     // a client published to a topic that begins with $
  kTooLargeToKeep,  // above durable_payload_max, for sessions in the store
};
constexpr size_t kDropReasons = 8;
// "output_full" and so on: a metric's label.
const char* name_of(DropReason reason);

struct BrokerCounters {
  uint64_t connections_now = 0;  // accepted and not yet closed
  uint64_t connected_now = 0;    // of them with a successful CONNACK
  uint64_t sessions_now = 0;     // connecting, connected, or ended with tickets open
  uint64_t subscriptions_now = 0;
  uint64_t queued_now = 0;  // messages waiting for sessions
  uint64_t queued_bytes_now = 0;
  uint64_t tickets_now = 0;  // publishes that wait for acceptance
  uint64_t parked_now = 0;   // publishes that wait for the lease

  uint64_t accepts = 0;
  uint64_t connects = 0;
  uint64_t connects_refused = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;  // encoded
  uint64_t packets_in = 0;
  uint64_t packets_out = 0;
  uint64_t payload_bytes_in = 0;            // of PUBLISH packets from clients
  uint64_t payload_bytes_out = 0;           // and to clients
  std::array<uint64_t, 3> publishes_in{};   // from clients, by QoS
  std::array<uint64_t, 3> publishes_out{};  // to clients, by the QoS that they were sent with
  uint64_t forwarded = 0;                   // messages put into a batch for another node
  uint64_t forwarded_local = 0;             // and for other workers of this node
  uint64_t forwards_in = 0;                 // messages that came in batches
  uint64_t retained_sent = 0;
  uint64_t redelivered = 0;
  uint64_t handed_on = 0;  // messages that went on to another member, as one did not acknowledge
  uint64_t takeovers = 0;
  uint64_t moves = 0;            // of connections to another worker
  uint64_t protocol_errors = 0;  // connections closed for what their client sent
  std::array<uint64_t, kDropReasons> dropped{};
};

}  // namespace shoal
