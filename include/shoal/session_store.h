// What a worker's broker and the node's hub say to each other of durable sessions, beside what
// peers.h has. The state of a durable session (subscriptions, queue, acknowledgements, will, expiry)
// is in the shard of its client id, replicated; the worker that the client is connected to holds
// only what one connection needs. A worker does not know which shard or node serves an id.
//
// Which sessions are durable: every one that outlives its connection (Session Expiry Interval above
// 0), and every one with a will. Of the latter, if its interval is 0, the shard holds the will alone.
//
// What is *numbered* is a change of some shard's state. A worker numbers from 1, ascending by one;
// changes of one client are carried out in that order, each once, whatever becomes of leaders
// meanwhile; each is answered by one SessionDone when it is durable on a majority, never before, and in
// that order too but for SessionSubscribe with shared filters, which others may overtake. There is
// no failure for want of a leader: until there is one, there is no answer.
//
// The *epoch* names a client's connection: later connections have higher ones, and whatever comes
// with an older one changes nothing.
//
// The live path serves QoS 0: a durable session's plain subscriptions are routes of its worker like
// any other's, and a message whose QoS there (the lower of its own and the highest granted by all
// filters that match) is 0 goes that way. All else comes as SessionMessages, shared subscriptions
// at every QoS. docs/decisions/0001-durable-sessions.md tells the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

using SessionEpoch = uint64_t;

// ---- from a worker to its hub -----------------------------------------------------------------------

// Of a MessageView the expiry date is never: a will's Message Expiry Interval begins when it is
// published.
struct SessionWill {
  MessageRef message;
  std::optional<uint32_t> expiry_s;
  uint32_t delay_s = 0;
};

// Every CONNECT, once its claim is granted and did not say that there is nothing to ask
// (ClaimAnswer::is_nothing_stored). Answered by SessionAttached.
struct SessionConnect {
  ConnId conn;
  std::string client_id;
  Stamp claim;       // of two CONNECTs of one id the later claim wins, whichever is committed first
  std::string user;  // authenticated; empty: anonymous
  uint16_t receive_maximum = 0;  // the lower of the client's and ours
  uint32_t expiry_s = 0;
  bool clean_start = false;
  std::optional<SessionWill> will;
};

// The connection that SessionConnect was for is gone before its answer: none is needed any more. One
// that attaches nevertheless, being on its way, is answered by SessionDetach.
struct SessionWithdraw {
  ConnId conn;
  std::string client_id;
};

// The connection of this epoch is closed. Numbered.
struct SessionDetach {
  uint64_t number = 0;
  std::string client_id;
  SessionEpoch epoch = 0;
  bool discards_will = false;        // DISCONNECT 0x00
  std::optional<uint32_t> expiry_s;  // if DISCONNECT changed it
};

struct SessionFilter {
  std::string filter;  // "$share/..." too
  Qos qos = Qos::k0;
  bool no_local = false;
  bool retain_as_published = false;
  uint32_t identifier = 0;
  // Retained messages that this subscription gets at QoS > 0 are owed; the worker sees to the others.
  bool replay = false;
};

// Numbered. Done also means that whoever publishes from then on knows of them.
struct SessionSubscribe {
  uint64_t number = 0;
  std::string client_id;
  SessionEpoch epoch = 0;
  std::vector<SessionFilter> filters;
};

struct SessionUnsubscribe {
  uint64_t number = 0;
  std::string client_id;
  SessionEpoch epoch = 0;
  std::vector<std::string> filters;
};

enum class SessionAckKind : uint8_t {
  kPuback,
  kPubrec,         // done: PUBREL may be sent
  kPubrecRefused,  // with a reason code >= 0x80: the delivery is over [MQTT5-4.3.3-4]
  kPubcomp,
};

// What the client acknowledged of SessionMessages, in its order. Numbered.
struct SessionAck {
  struct One {
    uint64_t message = 0;  // SessionMessage::number
    SessionAckKind kind = SessionAckKind::kPuback;
    bool operator==(const One&) const = default;
  };
  uint64_t number = 0;
  std::string client_id;
  SessionEpoch epoch = 0;
  std::vector<One> acks;
};

// The messages up to `message` have gone to the connection's output: there is room for as many more.
struct SessionRoom {
  std::string client_id;
  SessionEpoch epoch = 0;
  uint64_t message = 0;
};

// A QoS 2 PUBLISH of a durable session. Done: the message and its identifier are durable, PUBREC may
// be sent. A repeat of an identifier that is not released is done too, and publishes nothing.
// Numbered.
struct SessionReceive {
  uint64_t number = 0;
  std::string client_id;
  SessionEpoch epoch = 0;
  uint16_t packet_id = 0;
  MessageRef message;
};

// Its PUBREL. Done: PUBCOMP may be sent. Numbered.
struct SessionRelease {
  uint64_t number = 0;
  std::string client_id;
  SessionEpoch epoch = 0;
  uint16_t packet_id = 0;
};

// The item of a shard's outbox that a shared subscription's pick was made for: of all publishes with the
// same one and the same filter the first is taken. Below `least` all are done.
struct PickedItem {
  uint32_t shard = 0;
  uint64_t number = 0;
  uint64_t least = 0;
};

// A message for all these shards, as routes of Place{kShards, shard} asked for it. Done when all have
// it. Numbered.
struct ShardPublish {
  uint64_t number = 0;
  uint64_t shards = 0;  // a bit each
  // "$share/NAME/FILTER": for the members of that one alone, of whose places the one shard was picked;
  // at QoS 0 too. Empty: for all plain subscriptions.
  std::string shared;
  MessageRef message;
  std::optional<PickedItem> item = {};  // of the hub's own publishes
};

using ToStore = std::variant<SessionConnect, SessionWithdraw, SessionDetach, SessionSubscribe,
                             SessionUnsubscribe, SessionAck, SessionRoom, SessionReceive,
                             SessionRelease, ShardPublish>;

// ---- from the hub to a worker -----------------------------------------------------------------------

struct SessionAttached {
  enum class Outcome : uint8_t {
    kAttached,     // `epoch` is this connection's
    kVolatile,     // nothing is stored, nothing needs to be: the session is the worker's alone
    kRefusedUser,  // the stored session is another user's (0x87)
    kSuperseded,   // a later connection has the client id (0x8E)
  };
  ConnId conn;
  std::string client_id;
  Outcome outcome = Outcome::kVolatile;
  SessionEpoch epoch = 0;
  bool session_present = false;
  std::vector<SessionFilter> subscriptions;  // of a session that is resumed, all
  // Identifiers of SessionReceive that are not released.
  std::vector<uint16_t> received;
};

// A later connection has the client id: close the one of this epoch (0x8E).
struct SessionEvict {
  std::string client_id;
  SessionEpoch epoch = 0;
};

struct SessionDone {
  enum class Outcome : uint8_t {
    kCommitted,
    kStale,  // a later connection has the client id, or the session is over: this one is at its end
    kQuota,  // refused for a limit that is configured (0x97)
  };
  uint64_t number = 0;
  Outcome outcome = Outcome::kCommitted;
};

// A message for the client, under packet identifier `number % 65,535 + 1`.
struct SessionMessage {
  uint64_t number = 0;
  Qos qos = Qos::k1;  // 0: acknowledged (PUBACK) once it is sent; with `dup` without being sent
  bool retain = false;
  bool dup = false;       // possibly sent on an earlier connection
  bool released = false;  // PUBREC came on an earlier connection: send PUBREL, there is no message
  std::vector<uint32_t> identifiers;
  MessageRef message;
};

// In the order of their numbers, each once a connection. They are to be sent while the client has
// room (Receive Maximum), in order.
struct SessionMessages {
  std::string client_id;
  SessionEpoch epoch = 0;
  std::vector<SessionMessage> messages;
};

using FromStore = std::variant<SessionAttached, SessionEvict, SessionDone, SessionMessages>;

}  // namespace shoal
