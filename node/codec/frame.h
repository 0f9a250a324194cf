// Framing: where a control packet ends, apart from what is in it. It needs no more than the fixed
// header, so that a caller can hold a packet against its limits before it makes room for it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "node/codec/packet_type.h"
#include "node/codec/varint.h"
#include "shoal/byte_view.h"

namespace shoal {

// The largest packet that the fixed header can describe, header included.
constexpr size_t kPacketSizeMax = 1 + 4 + static_cast<size_t>(kVarintMax);

struct Frame {
  uint8_t first_byte = 0;
  ByteView body;    // what follows the fixed header; only when the frame is complete
  size_t size = 0;  // of the whole packet; 0 as long as the fixed header is not complete

  PacketType type() const { return static_cast<PacketType>(first_byte >> 4); }
  uint8_t flags() const { return first_byte & 0x0F; }
};

enum class FrameStatus : uint8_t {
  kComplete,
  kNeedMore,   // size tells how much, once it is known
  kMalformed,  // the Remaining Length is no Variable Byte Integer: 0x81
  kTooLarge,   // size is above the limit: 0x95 [MQTT5-3.2.2-15]
};

// Looks at the packet that begins at in[0]. `packet_size_max` bounds the whole packet, as Maximum
// Packet Size does. The frame's body points into `in`. No state is kept: after kNeedMore call again
// with more bytes.
FrameStatus next_frame(ByteView in, size_t packet_size_max, Frame& out);

}  // namespace shoal
