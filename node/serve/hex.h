#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace shoal {

// An id as logs, files and the admin API spell it: 16 digits.
inline std::string hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace shoal
