#include "node/codec/frame.h"

namespace shoal {

FrameStatus next_frame(ByteView in, size_t packet_size_max, Frame& out) {
  out = Frame{};
  if (in.empty()) return FrameStatus::kNeedMore;
  out.first_byte = in[0];
  const Varint length = read_varint(in.data() + 1, in.data() + in.size());
  if (length.status == VarintStatus::kMalformed) return FrameStatus::kMalformed;
  if (length.status == VarintStatus::kNeedMore) return FrameStatus::kNeedMore;
  const size_t header = 1 + length.size;
  out.size = header + length.value;
  if (out.size > packet_size_max) return FrameStatus::kTooLarge;
  if (in.size() < out.size) return FrameStatus::kNeedMore;
  out.body = in.subspan(header, length.value);
  return FrameStatus::kComplete;
}

}  // namespace shoal
