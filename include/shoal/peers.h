// What a worker's broker and the node's hub (cluster/core) say to each other, and workers to
// workers. All of it is plain values: the runtime carries them in mailboxes from thread to thread,
// the simulator in its event queue. Between one sender and one receiver order holds.
//
// The words: a *place* is (node, worker). A *route* says that a place wants the messages of a
// filter. Every worker holds the routes of all other places in its own topic tree, so that a
// publish is matched once and without a lock; the hub keeps them all equal. A *forward* takes
// messages to another place: straight to a worker of this node, by way of the hubs to another node.
// docs/architecture.md tells the protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shoal/message.h"
#include "shoal/session_store.h"
#include "shoal/types.h"

namespace shoal {

// ---- routes -------------------------------------------------------------------------------------

// How much a place wants of a filter; {0, 0} withdraws. For a shared subscription, whose filter is
// the whole "$share/NAME/FILTER", the numbers of its members with and without a connection (or that
// do not acknowledge) weigh the choice of a place; for a plain filter only present() counts.
struct RouteWeight {
  uint16_t online = 0;
  uint16_t offline = 0;
  bool present() const { return online != 0 || offline != 0; }
  bool operator==(const RouteWeight&) const = default;
};

struct RouteChange {
  std::string filter;
  RouteWeight weight;
  bool operator==(const RouteChange&) const = default;
};

// ---- forwards -----------------------------------------------------------------------------------

// A batch of messages from one worker to the workers of one node, encoded in the format of
// node/rules/forward_batch.h. Messages of QoS > 0, and all that are large, carry numbers that
// ascend by one per (origin worker, target node) without gaps, first_number to last_number: each
// worker that a numbered message is meant for answers it with an acceptance.
struct ForwardBatch {
  WorkerIndex origin_worker = 0;
  uint64_t worker_mask = 0;   // the union of its messages' workers
  uint64_t first_number = 0;  // 0 when nothing in it is numbered
  uint64_t last_number = 0;
  uint32_t messages = 0;
  std::vector<uint8_t> records;
  // The message whose record refers to its properties and payload instead of holding them, as those
  // of Limits::large_payload do. Such a batch holds exactly one message.
  std::vector<MessageRef> large;

  size_t bytes() const {
    size_t sum = records.size();
    for (const MessageRef& message : large) {
      sum += message->properties().size() + message->payload().size();
    }
    return sum;
  }
};
using ForwardBatchRef = std::shared_ptr<const ForwardBatch>;

enum class Acceptance : uint8_t {
  kAccepted,   // every live session here that wants it has it, or has room for it
  kNotPlaced,  // no member of a shared subscription here took it: pick another place
};

// Numbers first to last of one (origin worker, target node) as answered by one target worker. They
// need not come in order: a message for a full session is answered when it has room again.
struct AcceptedRange {
  uint64_t first = 0;
  uint64_t last = 0;
  Acceptance acceptance = Acceptance::kAccepted;
  bool operator==(const AcceptedRange&) const = default;
};

// ---- from a worker to its hub ---------------------------------------------------------------------

// Changes of what this worker's sessions want, with a number that ascends by one a batch. Answered
// by RoutesSynced once every other place has them, or counts as gone.
struct RouteBatch {
  uint64_t number = 0;
  std::vector<RouteChange> changes;
};

// The worker has applied RouteUpdates up to `number`.
struct RoutesApplied {
  uint64_t number = 0;
};

// A CONNECT wants its client id. Answered by ClaimAnswer. The place that had the id before closes
// its connection.
struct ClaimRequest {
  ConnId conn;
  std::string client_id;
  std::string user;          // authenticated; empty: anonymous
  bool is_volatile = false;  // nothing of its session needs to be stored
};

// The id's connection is closed, and nothing that it forwarded is unfinished.
struct ClaimRelease {
  std::string client_id;
  Stamp stamp;
};

// The id's connection came here from another worker of this node, as its `number`th. Answered by ClaimMoved
// to that worker.
struct ClaimMove {
  std::string client_id;
  Stamp stamp;
  WorkerIndex from = 0;
  uint64_t number = 0;
};

// A ClaimRequest's connection is gone before its answer: nobody is to be evicted for it any more.
struct ClaimWithdraw {
  ConnId conn;
  std::string client_id;
};

// An Evict is carried out: the connection is gone, and all that it forwarded is finished or dropped.
// (A worker whose own older connection has the id takes it over by itself.)
struct EvictDone {
  std::string client_id;
  Stamp stamp;  // of the claim that was evicted
};

// An Evict is not carried out: the id's connection stays, as its stored session is another user's. The
// store would refuse whoever claims the id (0x87), but only after this one had gone.
struct EvictRefused {
  std::string client_id;
  Stamp stamp;       // of the claim that stays
  std::string user;  // of the one that wanted it
};

struct ForwardOut {
  NodeSlot node = 0;
  ForwardBatchRef batch;
};

// This worker's answer to numbered messages of `origin`, a worker of another node.
struct AcceptOut {
  Place origin;
  std::vector<AcceptedRange> ranges;
};

// The worker has worked off so many bytes of batches from `node`: credit for its sender.
struct ForwardConsumed {
  NodeSlot node = 0;
  uint64_t bytes = 0;
};

// Store this message as its topic's retained message (an empty payload removes it), here and on
// every peer. Answered by RetainDone.
struct RetainWrite {
  uint64_t number = 0;  // the worker's own, ascending
  MessageRef message;
};

// The next retained messages for a filter (never "$share/..."). A topic comes at most once over
// the portions of one query. Answered by RetainedPortion.
struct RetainedQuery {
  uint64_t query = 0;  // the worker's own number
  std::string filter;
  std::string after;  // the last topic of the portion before; empty for the first
};

// All that AllClose asked for is done.
struct AllClosed {};

using ToHub = std::variant<RouteBatch, RoutesApplied, ClaimRequest, ClaimWithdraw, ClaimRelease,
                           ClaimMove, EvictDone, EvictRefused, ForwardOut, AcceptOut,
                           ForwardConsumed, RetainWrite, RetainedQuery, AllClosed, ToStore>;

// ---- from the hub to a worker -----------------------------------------------------------------------

struct PlacedRoute {
  Place place;
  RouteChange change;
};

// Routes of other places, of this node's other workers too. Answered by RoutesApplied.
struct RouteUpdate {
  uint64_t number = 0;
  std::vector<PlacedRoute> routes;
};

struct RoutesSynced {
  uint64_t number = 0;  // of the worker's own RouteBatch
};

struct ClaimAnswer {
  enum class Outcome : uint8_t {
    kGranted,      // go on; `stamp` is the claim
    kSuperseded,   // a later claim has the id: this connection is the loser (0x8E)
    kUnavailable,  // this node is not in a cluster yet, or is cut off from it (0x88)
    kLeft,         // this node has left its cluster (0x88)
    kRefusedUser,  // it has a connection whose stored session is another user's (0x87)
  };
  ConnId conn;
  std::string client_id;
  Outcome outcome = Outcome::kGranted;
  Stamp stamp;
  // To a volatile one that is granted: nothing of the client id is stored either, which the worker
  // need not ask. It holds for who has nothing of the id itself.
  bool is_nothing_stored = false;
};

// The hub knows that this client went from here to another worker: no Evict for it comes here any more.
struct ClaimMoved {
  std::string client_id;
  uint64_t number = 0;  // of the ClaimMove
};

// Close this id's connection with 0x8E (if it is connected) and answer EvictDone.
struct Evict {
  std::string client_id;
  Stamp stamp;  // of the claim to evict: another claim of the id is left alone
  // Whose connection comes instead; nothing: one that was let in elsewhere already. Another user than
  // that of a stored session is answered with EvictRefused.
  std::optional<std::string> user;
};

// A member that is in sync from now on: forward to it. Its routes come after this.
struct PeerUp {
  NodeSlot node = 0;
};

// A member that left or was given up: its routes are void, it accepts nothing any more, and what
// waits for it waits no longer.
struct PeerDown {
  NodeSlot node = 0;
};

// The queue towards a peer is over (or again under) its limit: drop QoS 0 for it, and stop reading
// from clients that publish to it.
struct PeerCongested {
  NodeSlot node = 0;
  bool congested = false;
};

struct ForwardIn {
  // Where it comes from; kSelf: another worker of this node; kShards: the outbox of the shard that
  // `origin_worker` is, which takes its answers, but no ForwardConsumed.
  NodeSlot node = 0;
  ForwardBatchRef batch;
};

struct AcceptIn {
  Place from;  // the worker that answers; its node tells whose numbers they are
  std::vector<AcceptedRange> ranges;
};

struct RetainDone {
  uint64_t number = 0;
};

struct RetainedPortion {
  uint64_t query = 0;
  std::vector<MessageRef> messages;  // ascending by topic
  bool done = false;
};

// Until when this worker may acknowledge (leases of all peers, and a majority). Also sent when it
// comes back after a gap, so that what was parked goes on. Checked against a clock that was read
// after the bytes were.
struct AckUntil {
  Instant until;
};

// Peers went on without this node: its clients may have missed messages. Close all connections, then
// answer AllClosed.
struct AllClose {};

// Readiness is off: refuse new clients (0x9C, 3.x: 0x03) and send those away that are here, `per_second`
// of them a second (5.0: 0x9C), each when it has what was accepted for it until then; 0 stops
// draining.
struct Drain {
  double per_second = 0;
  bool is_for_good = false;  // the node leaves: 0x9D where it is known who serves instead
};

using ToWorker = std::variant<RouteUpdate, RoutesSynced, ClaimAnswer, ClaimMoved, Evict, PeerUp,
                              PeerDown, PeerCongested, ForwardIn, AcceptIn, RetainDone,
                              RetainedPortion, AckUntil, AllClose, Drain, FromStore>;

}  // namespace shoal
