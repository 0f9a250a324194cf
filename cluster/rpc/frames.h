// Frames inside the one `bytes` field of a Batch: each after its length, four bytes, little endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cluster/core/wire.h"

namespace shoal {

constexpr size_t kFramePrefixBytes = 4;

// At most kFrameBytesMax (wire.h).
void append_frame(std::string& batch, std::span<const uint8_t> frame);

// Whether the lengths fit the batch exactly: to be asked once of what a peer sent.
bool is_well_formed(std::string_view batch);

// Walks over the frames of a well-formed batch; the frames point into it.
class FrameReader {
 public:
  explicit FrameReader(std::string_view batch) : rest_(batch) {}
  std::optional<std::span<const uint8_t>> next();

 private:
  std::string_view rest_;
};

}  // namespace shoal
