#include "node/broker/counters.h"

namespace shoal {

const char* name_of(DropReason reason) {
  static constexpr std::array<const char*, kDropReasons> kNames = {
      "output_full", "expired",   "packet_too_large", "peer_congested",
      "not_allowed", "no_member", "system_topic",     "too_large_to_keep"};
  return kNames[static_cast<size_t>(reason)];
}

}  // namespace shoal
