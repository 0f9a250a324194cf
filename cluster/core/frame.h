// A frame between two hubs: a header of our own, then a body: a message of hub.proto on the
// control lane, a piece of a batch or of a retained message on the others (forwarding.h).
//
//   0  format, now 1
//   1  size of the header, at least kFrameHeaderBytes: what a later version appends is passed over
//   2  kind
//   3  flags
//   4  0
//   8  sender's NodeId         (64 bits, little-endian, as what follows)
//  16  sender's incarnation
//  24  pair session, 0 outside of one
//  32  number in the session's lane, 0: not numbered
//  40  so many parcels of the forward lane go before this one; left out: none (forwarding.h)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/core/wire.h"
#include "shoal/types.h"

namespace google::protobuf {
class MessageLite;
}

namespace shoal {

enum class FrameKind : uint8_t {
  kHello = 1,
  kRefuse,
  kState,
  kStateAnswer,
  kLaneAck,
  kRaft,

  kMembers = 32,  // from here on numbered
  kRoutesChunk,
  kRoutesDelta,
  kRoutesWanted,
  kRoutesApplied,
  kClaim,
  kClaims,
  kClaimReply,
  kAccept,
  kRetainedDigest,
  kRetainedWanted,
  kOutboxAnswers,
  kRetainedStored,
  kShardPlacement,
  kStore = 48,  // + replica::StoreFrame

  kBatch = 64,  // forward and bulk lane
  kRetained,
  kOutbox,
};

constexpr size_t kFrameHeaderBytes = 40;
constexpr size_t kFrameHeaderBytesMax = 48;  // of those sent here
constexpr uint8_t kFlagMore = 1;  // the next frame of the lane goes on with this one's body

struct FrameHeader {
  FrameKind kind{};
  uint8_t flags = 0;
  NodeId sender;
  uint64_t incarnation = 0;
  uint64_t session = 0;
  uint64_t number = 0;
  uint64_t after = 0;
  bool operator==(const FrameHeader&) const = default;
};

struct ParsedFrame {
  FrameHeader header;
  std::span<const uint8_t> body;
};
// None: not a frame of a format that is known here.
std::optional<ParsedFrame> parse_frame(std::span<const uint8_t> bytes);

FrameRef make_frame(const FrameHeader& header, std::span<const uint8_t> body);
FrameRef make_frame(const FrameHeader& header, const google::protobuf::MessageLite& body);

// Little-endian numbers, for the bodies of our own.
void put_u64(uint8_t* at, uint64_t value);
uint64_t get_u64(const uint8_t* at);

}  // namespace shoal
