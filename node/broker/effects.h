// What a worker's broker asks of the world at the end of a turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/codec/reason_code.h"
#include "shoal/access.h"
#include "shoal/peers.h"
#include "shoal/types.h"

namespace shoal {

// A connection as it arrives at a broker.
struct Arrival {
  uint16_t listener = 0;     // position in BrokerConfig::listeners
  std::string address;       // the device's, after PROXY protocol and the like; for logs and rules
  std::string tls_identity;  // of a verified client certificate; empty without one
  // Until when its CONNECT has to be complete: what came before it (TLS and the like) took of that time.
  // Nothing: connect_timeout from now.
  std::optional<Instant> connect_by;
  bool is_one_too_many = false;  // to be refused (0x97) when its CONNECT is there
};

struct LogEvent {
  enum class Kind : uint8_t {
    kConnected,     // CONNACK with success was sent
    kRefused,       // CONNECT was refused, or never came
    kDisconnected,  // after kConnected; reason 0x00 and 0x04: by the client's DISCONNECT
    kTakenOver,
    kSlow,        // a live subscriber was over its limit for slow_timeout
    kSlowMember,  // of a shared subscription: it has not acknowledged for slow_timeout
  };
  Kind kind = Kind::kConnected;
  ConnId conn;
  std::string client_id;
  std::string user;
  std::string address;
  ReasonCode reason = ReasonCode::kSuccess;
  std::string_view detail;  // static text
};

// Within one kind the order holds; a connection's output leaves before it is closed "after flush".
// No other order is promised.
struct Effects {
  struct Close {
    ConnId conn;
    bool after_flush = true;  // write what its output holds first; otherwise at once, output or not
  };
  struct Wish {
    ConnId conn;
    WorkerIndex worker = 0;
  };
  struct WorkerMail {
    WorkerIndex worker = 0;
    ToWorker mail;
  };

  std::vector<ConnId> dirty;  // have new output: gather and write; each at most once
  std::vector<Close> closes;
  std::vector<ToHub> to_hub;
  std::vector<WorkerMail> to_workers;              // of this node, never this one
  std::vector<CredentialCheck> credential_checks;  // answered by on_credentials
  std::vector<ConnId> pause_reading;   // stop reading from it; a pause and a resume of one
  std::vector<ConnId> resume_reading;  // connection never stand in the same Effects
  std::vector<LogEvent> log;
  // Would cost less at that worker of this node: Broker::move_out, or nothing.
  std::vector<Wish> wishes;
  bool more = false;  // work was left so that others get their turn: call on_more soon

  void clear();
};

}  // namespace shoal
