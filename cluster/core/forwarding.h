// Batches between the workers of this node and those of the peers, and the acceptances that answer
// them.
//
// What travels on the forward and bulk lanes is a row of parcels: a batch, or a retained message
// with its stamp. A parcel is
//
//   size of the head (64 bits), head, large parts
//
// cut into frames of at most Limits::bulk_piece_bytes, all but the last with kFlagMore. Parcels do not
// mix within a lane. The next is begun while less than Limits::forward_window_bytes of those before
// it are not worked off by the receiver's workers; of a long one only so much is in the lane's
// memory as kUnackedMax.
//
// Between the lanes there is no order, but a large message must not come before what its publisher
// sent earlier: a batch on the bulk lane says how many parcels of the forward lane were there before
// it, and waits at the receiver until these have come. They never wait for it: each lane has a window
// of its own. What a publisher sends after a large message needs nothing of that: the publisher is
// not read before all have accepted it.
//
// A batch is delivered only under a lease from the node that it comes from. Without, that node may
// have given this one up, taken its part as done or to another place: what lies unread in the
// sockets of a frozen node must not be delivered after that.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/leases.h"
#include "cluster/core/pair.h"
#include "cluster/core/routes.h"
#include "shoal/peers.h"

namespace shoal {

// A retained message of a peer (removed: an empty payload), or the end of a copy of all.
struct RetainedParcel {
  Stamp stamp;
  uint64_t token = 0;  // of a write that its node waits for; 0: part of a copy
  bool is_end = false;
  std::shared_ptr<ForwardBatch> batch;  // of one message; null at the end
};

// A message of an outbox for the live sessions here (outbox.h).
struct OutboxParcel {
  uint32_t shard = 0;
  uint32_t part = 0;
  uint64_t number = 0;
  uint64_t term = 0;  // of the shard's leader that sends it
  uint64_t least = 0;
  std::shared_ptr<ForwardBatch> batch;  // of one message
};

// What came whole and is not the workers' at once.
using OtherParcel = std::variant<std::monostate, RetainedParcel, OutboxParcel>;

class Forwarding {
 public:
  Forwarding(Context& context, const Routes& routes, const Leases& leases)
      : context_(context), routes_(routes), leases_(leases) {}

  void on_open(const Pair& pair);
  void on_end(const Pair& pair);

  // ---- workers
  void on_forward(Pair* pair, WorkerIndex from, ForwardBatchRef batch);
  void on_accept(Pair* pair, WorkerIndex from, AcceptOut&& accept);
  void on_consumed(Pair* pair, WorkerIndex from, uint64_t bytes);
  void send_retained(Pair& pair, const Stamp& stamp, ForwardBatchRef batch, uint64_t token);
  // On both lanes, behind all that was sent.
  void send_retained_end(Pair& pair);
  // On the forward lane whatever its size: those of an outbox keep their order.
  void send_outbox(Pair& pair, OutboxParcel&& parcel);

  // ---- peers
  // False: the peer breaks the protocol.
  bool on_piece(Pair& pair, Lane lane, const ParsedFrame& frame, OtherParcel& other);
  bool on_peer_accepts(Pair& pair, const proto::Accept& accept);
  void on_credit(Pair& pair, const google::protobuf::RepeatedField<uint64_t>& credit);
  // The lease from the peer may be back: what came meanwhile is delivered.
  void release(Pair& pair);
  // What the window lets out.
  void pump(Pair& pair);

  // Bytes worked off here, for the peer's window; `is_due`: it should hear soon.
  void fill_credit(const Pair& pair, google::protobuf::RepeatedField<uint64_t>* credit);
  bool is_credit_due(const Pair& pair, uint64_t step) const;

  size_t waiting_bytes(const Pair& pair) const;
  uint64_t forwarded(const Pair& pair) const;
  uint64_t received(const Pair& pair) const;
  uint64_t dropped() const { return dropped_; }

 private:
  static constexpr int kLanes = 2;  // forward, bulk

  struct Parcel {
    FrameKind kind = FrameKind::kBatch;
    std::string head;  // of a batch: made when its turn comes
    ForwardBatchRef batch;
    size_t bytes = 0;    // about
    uint64_t after = 0;  // parcels of the forward lane that go before
  };
  // The parcel that is being cut into frames.
  struct Cut {
    Parcel parcel;
    std::vector<std::span<const uint8_t>> parts;
    size_t part = 0;
    size_t offset = 0;  // in the part
  };
  // The parcel that is coming.
  struct Joined {
    bool is_begun = false;
    FrameKind kind{};
    uint64_t after = 0;
    uint64_t wire_bytes = 0;
    uint64_t head_bytes = 0;
    std::vector<uint8_t> head;
    RetainedParcel retained;
    OutboxParcel outbox;
    std::shared_ptr<ForwardBatch> batch;
    std::shared_ptr<uint8_t[]> large;
    size_t large_bytes = 0;
    size_t large_have = 0;
  };
  // What a worker has of a peer and has not worked off.
  struct Load {
    struct Item {
      uint64_t bytes;  // as the worker counts
      uint64_t wire;   // as the peer's window does
      int lane;
    };
    std::deque<Item> items;
    std::array<uint64_t, kLanes> wire{};
  };
  // A batch that is not delivered yet.
  struct Held {
    int lane;
    uint64_t wire;
    std::shared_ptr<ForwardBatch> batch;
    uint64_t after;
  };
  struct Flow {
    std::array<std::deque<Parcel>, kLanes> waiting;
    std::array<std::optional<Cut>, kLanes> cut;
    std::array<size_t, kLanes> waiting_bytes{};
    bool is_congested = false;
    std::array<uint64_t, kLanes> sent{};    // wire bytes of parcels begun
    std::array<uint64_t, kLanes> credit{};  // worked off there
    std::array<Joined, kLanes> joined;
    std::array<uint64_t, kLanes> received{};
    std::array<uint64_t, kLanes> told_credit{};
    uint64_t forward_sent = 0;  // parcels
    uint64_t forward_came = 0;
    std::deque<Held> early;  // bulk: more of the forward lane must come first
    std::deque<Held> held;   // the lease from their sender had run out
    std::array<uint64_t, kLanes> held_wire{};
    std::vector<Load> loads;  // of each worker
  };
  struct Totals {
    uint64_t forwarded = 0;
    uint64_t received = 0;
  };

  void enqueue(Pair& pair, Flow& flow, Lane lane, Parcel parcel);
  void check_congestion(const Pair& pair, Flow& flow);
  void begin_cut(Flow& flow, int lane);
  void send_piece(Pair& pair, Flow& flow, Lane lane);
  bool add(Joined& joined, std::span<const uint8_t> bytes);
  bool parse_head(Joined& joined);
  static bool parse_retained(Joined& joined, std::span<const uint8_t>& head);
  static bool parse_outbox(Joined& joined, std::span<const uint8_t>& head);
  bool begin_large(Joined& joined, uint64_t bytes);
  bool finish(Pair& pair, Flow& flow, Lane lane, OtherParcel& other);
  void deliver(const Pair& pair, Flow& flow, Held held);
  uint64_t credit_of(const Flow& flow, int lane) const;

  Context& context_;
  const Routes& routes_;
  const Leases& leases_;
  std::map<NodeId, Flow> flows_;
  std::map<NodeId, Totals> totals_;
  uint64_t dropped_ = 0;
};

}  // namespace shoal
