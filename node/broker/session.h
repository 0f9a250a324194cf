// What a worker has of a client while it is connected: all of a session that ends with its connection;
// of a durable one, whose state is in the store, what one connection needs.
#pragma once

#include <cstdint>
#include <memory>
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

// A publisher that waits until this session's queue has come down.
struct Withheld {
  uint64_t position = 0;  // of the message in the queue, counted since the session began
  Ticket* ticket = nullptr;
  Instant since;
};

// How a session acknowledges that gets messages of shared subscriptions.
struct MemberWatch {
  SessionIndex session = 0;
  uint32_t generation = 0;
  uint64_t oldest = 0;  // number of the oldest message that it has not finished
  Instant since;        // when that came to be the oldest
  Duration longest;     // that one was the oldest, until now
};

struct SessionExtra {
  std::string user;
  AccessRef access;
  Ring<Withheld> withheld;
  Ring<Replay> replays;
  // Topics whose retained message came live while a replay ran: the stored one may be older.
  std::set<std::string, std::less<>> seen_live;
  std::vector<Stamp> evicted_claims;  // EvictDone is owed for them

  bool idle() const {
    return user.empty() && !access && withheld.empty() && replays.empty() && evicted_claims.empty();
  }
};

// Its life: opening, while its first connection waits for the store; connected; ended, while what it
// published is not accepted everywhere.
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
  // QoS 2 packet identifiers from the client, until PUBREL; with the ticket as long as PUBREC is
  // withheld.
  std::unique_ptr<absl::flat_hash_map<uint16_t, Ticket*>> received;

  uint32_t open_tickets = 0;  // of what it published
  TimerId timer = kNoTimer;   // retry
  bool ended = false;
  bool quiet_listed = false;
  bool replaying = false;
  bool over_limit_listed = false;
  bool watched = false;            // in the list of MemberWatch
  bool slow = false;               // as a member of shared subscriptions
  bool dismissed = false;          // its connection ends when it has what was accepted until then
  const Access* access = nullptr;  // extra->access
  ConnId successor;                // opening: its connection; ended: who comes next
  std::unique_ptr<SessionExtra> extra;
  std::unique_ptr<Durable> durable;  // while the store has it attached

  bool is_opening() const { return !connection && !ended; }
  // Its subscriptions and messages are the store's.
  bool is_stored() const { return durable && durable->stored; }
  SessionExtra& need_extra() {
    if (!extra) extra = std::make_unique<SessionExtra>();
    return *extra;
  }
};

}  // namespace shoal
