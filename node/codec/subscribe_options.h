// The Subscription Options byte (5.0: 3.8.3.1; 3.x: the requested QoS and six reserved bits).
#pragma once

#include <cstdint>

namespace shoal {

constexpr uint8_t kSubscribeQos = 0x03;
constexpr uint8_t kSubscribeNoLocal = 0x04;
constexpr uint8_t kSubscribeRetainAsPublished = 0x08;
constexpr int kSubscribeRetainHandlingShift = 4;
constexpr uint8_t kSubscribeReserved = 0xC0;
constexpr uint8_t kSubscribeReserved3x = 0xFC;

constexpr uint8_t retain_handling_of(uint8_t options) {
  return static_cast<uint8_t>((options >> kSubscribeRetainHandlingShift) & 0x03);
}

}  // namespace shoal
