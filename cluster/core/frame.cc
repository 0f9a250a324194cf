#include "cluster/core/frame.h"

#include <google/protobuf/message_lite.h>

#include <algorithm>

#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr uint8_t kFormat = 1;

std::shared_ptr<std::vector<uint8_t>> begin(const FrameHeader& header, size_t body) {
  const size_t size = header.after == 0 ? kFrameHeaderBytes : kFrameHeaderBytesMax;
  auto frame = std::make_shared<std::vector<uint8_t>>(size + body);
  uint8_t* const at = frame->data();
  at[0] = kFormat;
  at[1] = static_cast<uint8_t>(size);
  at[2] = static_cast<uint8_t>(header.kind);
  at[3] = header.flags;
  put_u64(at + 8, header.sender.value);
  put_u64(at + 16, header.incarnation);
  put_u64(at + 24, header.session);
  put_u64(at + 32, header.number);
  if (header.after != 0) put_u64(at + 40, header.after);
  SHOAL_ASSERT(frame->size() <= kFrameBytesMax);
  return frame;
}

}  // namespace

void put_u64(uint8_t* at, uint64_t value) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t get_u64(const uint8_t* at) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= uint64_t{at[i]} << (8 * i);
  return value;
}

std::optional<ParsedFrame> parse_frame(std::span<const uint8_t> bytes) {
  if (bytes.size() < kFrameHeaderBytes || bytes.size() > kFrameBytesMax) return std::nullopt;
  if (bytes[0] != kFormat || bytes[1] < kFrameHeaderBytes || bytes[1] > bytes.size()) {
    return std::nullopt;
  }
  const uint8_t* const at = bytes.data();
  return ParsedFrame{{.kind = static_cast<FrameKind>(at[2]),
                      .flags = at[3],
                      .sender = NodeId{get_u64(at + 8)},
                      .incarnation = get_u64(at + 16),
                      .session = get_u64(at + 24),
                      .number = get_u64(at + 32),
                      .after = bytes[1] < kFrameHeaderBytesMax ? 0 : get_u64(at + 40)},
                     bytes.subspan(bytes[1])};
}

FrameRef make_frame(const FrameHeader& header, std::span<const uint8_t> body) {
  auto frame = begin(header, body.size());
  std::copy(body.begin(), body.end(), frame->begin() + (*frame)[1]);
  return frame;
}

FrameRef make_frame(const FrameHeader& header, const google::protobuf::MessageLite& body) {
  auto frame = begin(header, body.ByteSizeLong());
  body.SerializeWithCachedSizesToArray(frame->data() + (*frame)[1]);
  return frame;
}

}  // namespace shoal
