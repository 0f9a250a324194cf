// A client's session on this worker, with or without a connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "node/broker/durable.h"
#include "node/broker/inflight.h"
#include "node/broker/replay.h"
#include "node/broker/ring.h"
#include "node/broker/tickets.h"
#include "node/rules/subscription.h"
#include "node/rules/timer_wheel.h"
#include "shoal/access.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

struct Connection;

struct StoredWill {
  MessageRef message;  // its Message Expiry Interval runs from its publication on
  uint32_t delay_s = 0;
  std::optional<uint32_t> message_expiry_s;
};

// A publisher that waits until this session's queue has come down.
struct Withheld {
  uint64_t position = 0;  // of the message in the queue, counted since the session began
  Ticket* ticket = nullptr;
  Instant since;
};

struct SessionExtra {
  std::string user;
  AccessRef access;
  std::optional<StoredWill> will;
  Ring<Withheld> withheld;
  Ring<Replay> replays;
  // Topics whose retained message came live while a replay ran: the stored one may be older.
  std::set<std::string, std::less<>> seen_live;
  std::vector<Stamp> evicted_claims;  // EvictDone is owed for them
  Instant will_at = Instant::never();
  Instant expires_at = Instant::never();

  bool idle() const {
    return user.empty() && !access && !will && withheld.empty() && replays.empty() &&
           evicted_claims.empty() && will_at == Instant::never() && expires_at == Instant::never();
  }
};

struct Session {
  std::string client_id;
  uint64_t hash = 0;  // client_id_hash
  SessionIndex index = 0;
  uint32_t generation = 0;
  Connection* connection = nullptr;
  Stamp claim;

  Inflight inflight;
  Ring<Delivery> queue;
  uint64_t queue_begin = 0;  // position of queue[0], counted since the session began
  size_t queued_bytes = 0;
  uint32_t resend_next =
      0;                    // position in inflight from which on nothing is sent on this connection
  uint16_t quota_used = 0;  // entries of inflight with in_quota
  // QoS 2 packet identifiers from the client, until PUBREL; with the ticket as long as PUBREC is
  // withheld.
  std::unique_ptr<absl::flat_hash_map<uint16_t, Ticket*>> received;

  uint32_t expiry_s = 0;      // 0: it ends with its connection
  uint32_t open_tickets = 0;  // of what it published
  TimerId timer = kNoTimer;   // connected: retry; absent: will delay and expiry
  bool opening = false;       // its first connection waits for the store, and may yet be refused
  bool ended = false;         // only waits for its tickets
  bool quiet_listed = false;
  bool keeps_copies = false;  // of what was sent: they can be needed again
  bool replaying = false;
  bool over_limit_listed = false;
  bool dismissed = false;          // its connection ends when it has what was accepted until then
  const Access* access = nullptr;  // extra->access
  ConnId successor;                // waits for open_tickets to be 0
  std::unique_ptr<SessionExtra> extra;
  std::unique_ptr<Durable> durable;  // while the store has it attached

  // Its subscriptions and messages are the store's.
  bool is_stored() const { return durable && durable->stored; }
  SessionExtra& need_extra() {
    if (!extra) extra = std::make_unique<SessionExtra>();
    return *extra;
  }
};

}  // namespace shoal
