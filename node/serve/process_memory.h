#pragma once

#include <cstdint>

namespace shoal {

// Of this process, now.
uint64_t resident_bytes();

}  // namespace shoal
