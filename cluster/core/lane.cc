#include "cluster/core/lane.h"

#include <utility>

#include "shoal/assert.h"

namespace shoal {

void LaneOut::push(FrameRef frame, uint64_t token) {
  kept_bytes_ += frame->size();
  kept_.push_back({std::move(frame), token});
}

bool LaneOut::ack(uint64_t number, std::vector<uint64_t>& tokens) {
  // What is kept may have gone out on an earlier link, so the bound is not sent_.
  if (number >= next_number()) return false;
  while (acked_ < number) {
    Kept& first = kept_.front();
    if (first.token != 0) tokens.push_back(first.token);
    kept_bytes_ -= first.frame->size();
    kept_.pop_front();
    ++acked_;
  }
  if (sent_ < acked_) sent_ = acked_;
  return true;
}

FrameRef LaneOut::take_unsent() {
  SHOAL_ASSERT(sent_ >= acked_);
  const size_t index = sent_ - acked_;
  if (index == kept_.size()) return nullptr;
  ++sent_;
  return kept_[index].frame;
}

}  // namespace shoal
