// What waits for a lane's next write, and when that write may start.
//
// Each gRPC message costs 20 to 30 microseconds of CPU on either side, so under load frames should
// share one; but where nothing else comes, waiting would only add latency. So a write starts at once
// unless the one before it is less than `spacing` ago, and kCutBytes end the wait: a client whose next
// message waits for the answer to its last one never waits, if the answer takes longer than that.
// Pure: the time comes in with each call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "shoal/types.h"

namespace shoal {

class LaneBuffer {
 public:
  static constexpr size_t kCutBytes = 64 * 1024;
  static constexpr size_t kBatchBytesMax = 256 * 1024;  // of several frames; one may be larger

  explicit LaneBuffer(Duration spacing) : spacing_(spacing) {}

  void append(std::span<const uint8_t> frame, Instant now);

  // When the next write may start; never() while nothing waits.
  Instant due() const;

  // Swaps the next batch into `batch` and keeps that string's memory for later ones.
  void take(std::string& batch, Instant now);

  size_t bytes() const { return bytes_; }

 private:
  const Duration spacing_;           // of writes
  std::deque<std::string> batches_;  // all but the last are complete
  std::string spare_;
  size_t bytes_ = 0;
  Instant oldest_at_;  // when the first frame of the first batch came
  Instant last_write_at_;
};

}  // namespace shoal
