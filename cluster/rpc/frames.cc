#include "cluster/rpc/frames.h"

#include "shoal/assert.h"

namespace shoal {
namespace {

// The first frame's length, or nothing when the batch cannot hold it.
std::optional<size_t> length_of_first(std::string_view batch) {
  if (batch.size() < kFramePrefixBytes) return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < kFramePrefixBytes; ++i) {
    length |= static_cast<size_t>(static_cast<uint8_t>(batch[i])) << (8 * i);
  }
  if (length > batch.size() - kFramePrefixBytes) return std::nullopt;
  return length;
}

}  // namespace

void append_frame(std::string& batch, std::span<const uint8_t> frame) {
  SHOAL_ASSERT(frame.size() <= kFrameBytesMax);
  for (size_t i = 0; i < kFramePrefixBytes; ++i) {
    batch.push_back(static_cast<char>((frame.size() >> (8 * i)) & 0xFF));
  }
  batch.append(reinterpret_cast<const char*>(frame.data()), frame.size());
}

bool is_well_formed(std::string_view batch) {
  while (!batch.empty()) {
    const std::optional<size_t> length = length_of_first(batch);
    if (!length) return false;
    batch.remove_prefix(kFramePrefixBytes + *length);
  }
  return true;
}

std::optional<std::span<const uint8_t>> FrameReader::next() {
  if (rest_.empty()) return std::nullopt;
  const std::optional<size_t> length = length_of_first(rest_);
  SHOAL_ASSERT(length.has_value());
  const auto* const begin = reinterpret_cast<const uint8_t*>(rest_.data()) + kFramePrefixBytes;
  rest_.remove_prefix(kFramePrefixBytes + *length);
  return std::span(begin, *length);
}

}  // namespace shoal
