// A text as the bytes that are hashed. Apart from crypto.h, whose users may have the codec's too.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace shoal {

inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace shoal
