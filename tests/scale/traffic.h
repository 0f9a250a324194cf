// Frames that a node sent or received, by what they are for. A frame counts with the four bytes that
// stand before it in a batch (cluster/rpc/frames.h); what gRPC, TCP and IP add is not in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace shoal::scale {

enum class Purpose : uint8_t {
  kHeartbeats,  // States and their answers: leases too
  kLaneAcks,
  kRoutes,
  kRoutesApplied,
  kClaims,
  kRaft,
  kStore,  // the store's other frames
  kForward,
  kAccepts,
  kOther,
};
constexpr size_t kPurposes = 10;
const char* name_of(Purpose purpose);
Purpose purpose_of(std::span<const uint8_t> frame);

struct Count {
  uint64_t frames = 0;
  uint64_t bytes = 0;
};

class Traffic {
 public:
  void add(std::span<const uint8_t> frame);
  const Count& of(Purpose purpose) const { return counts_[static_cast<size_t>(purpose)]; }
  Count total() const;
  Traffic& operator+=(const Traffic& other);
  Traffic& operator-=(const Traffic& other);

 private:
  std::array<Count, kPurposes> counts_;
};

}  // namespace shoal::scale
