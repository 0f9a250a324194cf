#include "cluster/core/pair.h"

#include <utility>

#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {
namespace {

uint64_t draw_epoch(Random& random) {
  const uint64_t drawn = random.next();
  return drawn == 0 ? 1 : drawn;
}

// The same on both sides; the order of the epochs tells whose is whose.
uint64_t session_of(uint64_t lower_epoch, uint64_t higher_epoch) {
  const uint64_t mixed = Random(lower_epoch ^ Random(higher_epoch).next()).next();
  return mixed == 0 ? 1 : mixed;
}

}  // namespace

Pair::Pair(Context& context, NodeId id, NodeSlot slot)
    : context_(context), id_(id), slot_(slot), epoch_(draw_epoch(context.random)) {}

void Pair::use_link(LinkId link) {
  link_ = link;
  resumed_ = false;
}

void Pair::open(uint64_t peer_epoch) {
  SHOAL_ASSERT(!is_open());
  SHOAL_ASSERT(peer_epoch != 0);
  peer_epoch_ = peer_epoch;
  session_ =
      context_.self < id_ ? session_of(epoch_, peer_epoch_) : session_of(peer_epoch_, epoch_);
  resumed_ = false;
}

void Pair::end(bool renew) {
  if (renew) epoch_ = draw_epoch(context_.random);
  out_ = {};
  in_ = {};
  session_ = 0;
  peer_epoch_ = 0;
  resumed_ = false;
}

FrameHeader Pair::header(FrameKind kind) const {
  return {.kind = kind,
          .sender = context_.self,
          .incarnation = context_.life.incarnation,
          .session = session_};
}

void Pair::send_now(FrameKind kind, const google::protobuf::MessageLite& body) {
  if (link_ == 0) return;
  context_.effects.sends.push_back({link_, Lane::kControl, make_frame(header(kind), body)});
}

void Pair::send_now(FrameKind kind, std::span<const uint8_t> body) {
  if (link_ == 0) return;
  context_.effects.sends.push_back({link_, Lane::kControl, make_frame(header(kind), body)});
}

void Pair::send(FrameKind kind, const google::protobuf::MessageLite& body, uint64_t token) {
  SHOAL_ASSERT(is_open());
  LaneOut& lane = out_[index(Lane::kControl)];
  FrameHeader numbered = header(kind);
  numbered.number = lane.next_number();
  lane.push(make_frame(numbered, body), token);
  flush(Lane::kControl);
}

void Pair::send_piece(Lane lane, const FrameHeader& what, std::span<const uint8_t> body) {
  SHOAL_ASSERT(is_open());
  LaneOut& out = out_[index(lane)];
  FrameHeader numbered = header(what.kind);
  numbered.flags = what.flags;
  numbered.after = what.after;
  numbered.number = out.next_number();
  out.push(make_frame(numbered, body), 0);
  flush(lane);
}

void Pair::flush(Lane lane) {
  if (!resumed_) return;
  while (FrameRef frame = out_[index(lane)].take_unsent()) {
    context_.effects.sends.push_back({link_, lane, std::move(frame)});
  }
}

LaneIn::Verdict Pair::accept(Lane lane, uint64_t number) {
  SHOAL_ASSERT(is_open());
  return in_[index(lane)].accept(number);
}

bool Pair::on_received(const google::protobuf::RepeatedField<uint64_t>& received, bool resume,
                       std::vector<uint64_t>& acked_tokens) {
  if (received.size() != kLaneCount) return false;
  for (int i = 0; i < kLaneCount; ++i) {
    const uint64_t number = received.Get(i);
    // An older message may come by an older link.
    if (!out_[i].ack(number, acked_tokens)) return false;
    if (resume && !SHOAL_MUTATED("frames-not-sent-again")) out_[i].rewind();
  }
  if (!resume) return true;
  resumed_ = true;
  for (int i = 0; i < kLaneCount; ++i) flush(static_cast<Lane>(i));
  return true;
}

}  // namespace shoal
