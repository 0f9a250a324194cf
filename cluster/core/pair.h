// This node and one other: the link in use, the session, and the reliable lanes within it.
//
// Each side of a pair has an *epoch* for it, a random number that it changes when it gives the other
// up; a restarted node has new ones. A session is two epochs: it begins on a side when that knows
// the other's, and ends when one of them changes. States (hub.proto) carry both, and repeat what
// the sender has received, so that on a new link each lane goes on where the other side is.
//
// Nothing numbered goes out on a link before the peer has said on it that it knows the session:
// there is no order between lanes, and a frame that came before would be dropped.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/frame.h"
#include "cluster/core/lane.h"
#include "proto/shoal/hub.pb.h"
#include "shoal/types.h"

namespace shoal {

// What a new session is told of all that there is goes in portions on the control lane, of which so much is
// on its way: heartbeats pass between.
constexpr size_t kPortionBytes = 64 * 1024;
constexpr size_t kPortionsOpenBytes = 256 * 1024;

class Pair {
 public:
  Pair(Context& context, NodeId id, NodeSlot slot);
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  NodeId id() const { return id_; }
  NodeSlot slot() const { return slot_; }

  // ---- the peer as its hello and its last State say
  proto::Hello hello;
  proto::State said;
  Life life;  // {0, 0}: never met
  bool is_met() const { return life.incarnation != 0; }

  // ---- link
  LinkId link() const { return link_; }
  void use_link(LinkId link);
  // The peer has said on the present link what it has received: numbered frames go out.
  bool is_resumed() const { return resumed_; }

  // ---- session
  uint64_t epoch() const { return epoch_; }
  uint64_t peer_epoch() const { return peer_epoch_; }
  bool is_open() const { return session_ != 0; }
  uint64_t session() const { return session_; }
  void open(uint64_t peer_epoch);
  // `renew`: the epoch changes too.
  void end(bool renew);

  // ---- sending
  // Not numbered, on the present link if there is one.
  void send_now(FrameKind kind, const google::protobuf::MessageLite& body);
  void send_now(FrameKind kind, std::span<const uint8_t> body);
  // Numbered, in an open session.
  void send(FrameKind kind, const google::protobuf::MessageLite& body, uint64_t token = 0);
  // `what`: kind, flags and the lane order; the rest of the header is filled in.
  void send_piece(Lane lane, const FrameHeader& what, std::span<const uint8_t> body);
  size_t kept_bytes(Lane lane) const { return out_[index(lane)].kept_bytes(); }
  // Number of the last frame put on a lane.
  uint64_t last_number(Lane lane) const { return out_[index(lane)].next_number() - 1; }

  // ---- receiving
  LaneIn::Verdict accept(Lane lane, uint64_t number);
  uint64_t received(Lane lane) const { return in_[index(lane)].received(); }
  // The peer has received so much of each lane. `resume`: it says so on the present link for the
  // first time. False when it cannot be.
  bool on_received(const google::protobuf::RepeatedField<uint64_t>& received, bool resume,
                   std::vector<uint64_t>& acked_tokens);

  // Times of the last frame, and of the last answer to a State.
  Instant last_heard{};
  Instant last_answer{};

 private:
  static size_t index(Lane lane) { return static_cast<size_t>(lane); }
  FrameHeader header(FrameKind kind) const;
  void flush(Lane lane);

  Context& context_;
  const NodeId id_;
  const NodeSlot slot_;
  LinkId link_ = 0;
  bool resumed_ = false;
  uint64_t epoch_;
  uint64_t peer_epoch_ = 0;
  uint64_t session_ = 0;
  std::array<LaneOut, kLaneCount> out_;
  std::array<LaneIn, kLaneCount> in_;
};

}  // namespace shoal
