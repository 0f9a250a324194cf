// A reliable, ordered stream of frames over links that may break, one object a direction and lane
// of a pair session. Frames are numbered from 1; the sender keeps each until the receiver has said
// that it has it; on a new link it begins behind the last one that the receiver names. The receiver
// drops what it has already. So a broken connection loses nothing and doubles nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "cluster/core/wire.h"

namespace shoal {

class LaneOut {
 public:
  uint64_t next_number() const { return acked_ + kept_.size() + 1; }
  // `frame` has next_number(). `token`, unless 0, comes back when the peer has the frame.
  void push(FrameRef frame, uint64_t token);

  // The peer has all up to `number`: the tokens of those frames are appended. False when it says so
  // of a frame that never was.
  bool ack(uint64_t number, std::vector<uint64_t>& tokens);
  // On a new link: what is kept goes out again.
  void rewind() { sent_ = acked_; }
  // The next frame to put on the link; null when all are.
  FrameRef take_unsent();

  size_t kept_bytes() const { return kept_bytes_; }

 private:
  struct Kept {
    FrameRef frame;
    uint64_t token;
  };
  std::deque<Kept> kept_;  // numbers acked_ + 1 and up
  uint64_t acked_ = 0;
  uint64_t sent_ = 0;  // on the present link
  size_t kept_bytes_ = 0;
};

class LaneIn {
 public:
  enum class Verdict : uint8_t { kNew, kRepeat, kGap };
  Verdict accept(uint64_t number) {
    if (number <= received_) return Verdict::kRepeat;
    if (number != received_ + 1) return Verdict::kGap;
    ++received_;
    return Verdict::kNew;
  }
  uint64_t received() const { return received_; }

 private:
  uint64_t received_ = 0;
};

}  // namespace shoal
