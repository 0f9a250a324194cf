#include "tests/scale/traffic.h"

#include <optional>

#include "cluster/core/frame.h"
#include "shoal/assert.h"

namespace shoal::scale {
namespace {

constexpr size_t kPrefixBytes = 4;

}  // namespace

const char* name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kHeartbeats: return "heartbeats";
    case Purpose::kLaneAcks: return "lane_acks";
    case Purpose::kRoutes: return "routes";
    case Purpose::kRoutesApplied: return "routes_applied";
    case Purpose::kClaims: return "claims";
    case Purpose::kRaft: return "raft";
    case Purpose::kStore: return "store";
    case Purpose::kForward: return "forward";
    case Purpose::kAccepts: return "accepts";
    case Purpose::kOther: break;
  }
  return "other";
}

Purpose purpose_of(std::span<const uint8_t> frame) {
  const std::optional<ParsedFrame> parsed = parse_frame(frame);
  SHOAL_ASSERT(parsed.has_value());
  switch (parsed->header.kind) {
    case FrameKind::kState:
    case FrameKind::kStateAnswer: return Purpose::kHeartbeats;
    case FrameKind::kLaneAck: return Purpose::kLaneAcks;
    case FrameKind::kRoutesChunk:
    case FrameKind::kRoutesDelta:
    case FrameKind::kRoutesWanted: return Purpose::kRoutes;
    case FrameKind::kRoutesApplied: return Purpose::kRoutesApplied;
    case FrameKind::kClaim:
    case FrameKind::kClaims:
    case FrameKind::kClaimReply: return Purpose::kClaims;
    case FrameKind::kRaft: return Purpose::kRaft;
    case FrameKind::kBatch: return Purpose::kForward;
    case FrameKind::kAccept: return Purpose::kAccepts;
    default: break;
  }
  const bool is_store =
      parsed->header.kind >= FrameKind::kStore && parsed->header.kind < FrameKind::kBatch;
  return is_store ? Purpose::kStore : Purpose::kOther;
}

void Traffic::add(std::span<const uint8_t> frame) {
  Count& count = counts_[static_cast<size_t>(purpose_of(frame))];
  ++count.frames;
  count.bytes += frame.size() + kPrefixBytes;
}

Count Traffic::total() const {
  Count total;
  for (const Count& count : counts_) {
    total.frames += count.frames;
    total.bytes += count.bytes;
  }
  return total;
}

Traffic& Traffic::operator+=(const Traffic& other) {
  for (size_t i = 0; i < kPurposes; ++i) {
    counts_[i].frames += other.counts_[i].frames;
    counts_[i].bytes += other.counts_[i].bytes;
  }
  return *this;
}

Traffic& Traffic::operator-=(const Traffic& other) {
  for (size_t i = 0; i < kPurposes; ++i) {
    counts_[i].frames -= other.counts_[i].frames;
    counts_[i].bytes -= other.counts_[i].bytes;
  }
  return *this;
}

}  // namespace shoal::scale
