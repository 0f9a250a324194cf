// One client's connection, from its arrival to its end. What every connection has is in Connection
// and small, since there are many that idle; what few have, or only for a moment, is behind `extra`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node/broker/alias_table.h"
#include "node/broker/byte_budget.h"
#include "node/broker/effects.h"
#include "node/broker/output.h"
#include "node/broker/ring.h"
#include "node/broker/unread.h"
#include "node/codec/frame.h"
#include "node/rules/timer_wheel.h"
#include "shoal/access.h"
#include "shoal/types.h"

namespace shoal {

struct Session;

enum class Phase : uint8_t {
  kWaitConnect,
  kWaitCredentials,  // a CredentialCheck is out
  kAuthenticating,   // enhanced: the client's AUTH is to come [MQTT5-3.1.2-30]
  kWaitClaim,        // a ClaimRequest is out
  kWaitQuiet,        // claimed; what the client's earlier connection published is unfinished
  kWaitStore,        // a SessionConnect is out; the session here has this as its successor
  kWaitRoutes,       // attached; not all places know of its subscriptions yet
  kConnected,
  kClosing,  // a Close was asked for
};

// Why a connection is not read. One bit each.
enum PauseReason : uint8_t {
  kPauseOpening = 1,    // CONNECT is not answered yet, and the client goes on sending
  kPauseWaiting = 2,    // 3.x: too many publishes wait for their acknowledgement
  kPauseLarge = 4,      // a large payload is not accepted everywhere yet
  kPauseCongested = 8,  // it published to a peer whose queue is full
  kPauseTurn = 16,      // its share of this turn is used up
};

// A CONNECT until its CONNACK.
struct Opening {
  std::vector<uint8_t> packet;  // the whole CONNECT; decoded again where it is needed
  BudgetShare packet_share;     // nobody is known yet who may have us hold it
  std::string client_id;        // as sent, or assigned
  bool assigned_client_id = false;
  std::string tls_identity;
  bool is_one_too_many = false;
  bool is_volatile = false;  // neither expiry nor will: nothing of it needs to be stored
  CredentialAnswer credentials;
  std::vector<uint8_t> authentication_data;  // for the CONNACK
  Stamp claim;
};

// A publish that waits for the lease.
struct Parked {
  MessageRef message;
  uint16_t packet_id = 0;
  Instant since;
};

struct ConnectionExtra {
  Unread unread;
  std::unique_ptr<Opening> opening;
  std::vector<std::string> aliases_in;  // [alias - 1]; empty: not set
  std::unique_ptr<AliasTable> aliases_out;
  Ring<Parked> parked;
  std::string authentication_method;
  std::unique_ptr<AuthExchange> exchange;  // while one runs

  bool idle() const {
    return unread.empty() && !opening && aliases_in.empty() && !aliases_out && parked.empty() &&
           authentication_method.empty();
  }
};

// What holds for a connection to its end, wherever in the node it is.
struct ConnectionTerms {
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  bool may_answer = false;  // its CONNECT said how to talk to it
  bool problem_information = true;
  bool asked_to_stay = false;  // 5.0: the Session Expiry Interval in CONNECT was not 0
  uint16_t listener = 0;
  uint16_t keep_alive_s = 0;
  uint32_t packet_size_max = kPacketSizeMax;  // of what it takes
  uint16_t window = 0;                        // QoS > 0 publishes that may be open to it
};

struct Connection : ConnectionTerms {
  Phase phase = Phase::kWaitConnect;
  uint8_t paused = 0;  // PauseReason bits
  ConnId id;
  bool paused_reported = false;  // what the runtime was told last
  bool pause_listed = false;     // in Core's list of possible changes
  bool dirty = false;            // in Core's list
  bool connected_counted = false;
  uint16_t open_in = 0;  // QoS > 0 publishes from it that are not finished
  uint16_t waiting = 0;  // of its requests that wait for others: parked, tickets, SUBACKs
  TimerId timer = kNoTimer;
  uint8_t away_streak = 0;      // publishes in a row that were for one other worker alone:
  WorkerIndex away_worker = 0;  // this one
  bool mover_listed = false;
  Instant last_in;  // of its last packet; until CONNECT, when its time runs out
  Session* session = nullptr;
  Output output;
  std::string address;
  std::unique_ptr<ConnectionExtra> extra;

  bool open() const { return phase != Phase::kClosing; }
  ConnectionExtra& need_extra() {
    if (!extra) extra = std::make_unique<ConnectionExtra>();
    return *extra;
  }
};

}  // namespace shoal
