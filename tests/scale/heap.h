// What is allocated now, as the allocator counts it: jemalloc where the program is linked with it, as
// `shoal` is, and glibc elsewhere.
#pragma once

#include <cstddef>

namespace shoal::scale {

size_t heap_bytes();
const char* allocator_name();

}  // namespace shoal::scale
