// Every bound of a node in one place, with its default and its unit. A queue that is not bounded
// by one of these is a bug.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "shoal/types.h"

namespace shoal {

struct Limits {
  // A client's packets.
  uint32_t packet_size_max = 268'435'455;  // bytes of one control packet, all of it
  uint32_t connect_size_max = 128 * 1024;  // of a CONNECT, and of AUTH before CONNACK: nobody is
                                           // known before it who may make us hold more
  uint16_t receive_maximum = 100;          // QoS > 0 PUBLISH that a client may have open to us
  uint16_t inflight_max = 100;             // QoS > 0 PUBLISH that we have open to one client
  uint16_t topic_alias_max = 64;           // aliases a client may set, and we set to a client
  uint32_t keepalive_max_s = 0;            // Server Keep Alive above this; 0 = client's own value
  uint32_t session_expiry_max_s = 7 * 24 * 3600;
  uint32_t subscriptions_max = 100'000;              // of one session
  Duration connect_timeout = Duration::seconds(10);  // from accept until CONNECT is complete, with
                                                     // all that comes before it
  Duration retry_interval = Duration::seconds(20);   // 3.x redelivery while connected; 0 = never

  // Queues.
  uint32_t queued_max = 10'000;                // messages waiting for one session
  size_t queued_bytes_max = 64 * 1024 * 1024;  // and their bytes; as many may be in flight
  bool rejects_new = false;  // past these a durable session loses the new message, not the oldest
  size_t output_bytes_max = 4 * 1024 * 1024;      // encoded for one connection, not yet written:
                                                  // past it QoS 0 is dropped and counted
  size_t output_bytes_low = 64 * 1024;            // more is encoded from the queue below this
  Duration slow_timeout = Duration::seconds(15);  // a live subscriber over its limit for so long
                                                  // is disconnected (0x97): well before its
                                                  // publishers are, by publish_timeout
  Duration dismissal_timeout = Duration::seconds(5);  // a drained client may take so long over what
                                                      // it is still owed
  size_t arriving_bytes_max = 1024 * 1024 * 1024;     // all partial or large packets of the node
  size_t large_payload = 256 * 1024;  // from here on a payload is carried by reference, goes over
                                      // the bulk lane, and its publisher is not read meanwhile
  size_t retained_bytes_max = size_t{4} * 1024 * 1024 * 1024;  // all retained messages

  // Durable sessions.
  size_t durable_payload_max = 16 * 1024 * 1024;              // of one message, with its properties
  size_t durable_bytes_max = size_t{8} * 1024 * 1024 * 1024;  // messages that wait, of all shards

  // Publishing.
  Duration publish_timeout = Duration::seconds(30);  // an acknowledgement withheld for so long
                                                     // closes the publisher (0x89)

  uint8_t away_streak = 64;  // publishes in a row for one other worker alone, until the connection
                             // would go there

  // Peers.
  Duration heartbeat_interval = Duration::millis(150);
  Duration lease = Duration::millis(800);         // how long a peer may acknowledge after a grant
  Duration lease_margin = Duration::millis(50);   // a granter waits so much longer than the lease
  size_t forward_window_bytes = 8 * 1024 * 1024;  // sent to a peer and not yet worked off there
  size_t forward_queue_bytes = 16 * 1024 * 1024;  // waiting for that window; past it QoS 0 for the
                                                  // peer is dropped and its publishers wait
  size_t bulk_piece_bytes = 256 * 1024;
  size_t copy_rate = 32 * 1024 * 1024;  // bytes a second that a node sends of one shard's state to
                                        // replicas that need a copy; 0 = as fast as they take them

  // All packets of clients that are not let in yet. Beside arriving_bytes_max, so that strangers take
  // nothing of what others need.
  size_t opening_bytes_max() const {
    return std::max<size_t>(arriving_bytes_max / 8, size_t{2} * connect_size_max);
  }
};

}  // namespace shoal
