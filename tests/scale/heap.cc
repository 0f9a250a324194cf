#include "tests/scale/heap.h"

#include <malloc.h>

#include <cstdint>

// There where jemalloc is linked.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_size,
                                             void* new_value, size_t new_size);

namespace shoal::scale {

size_t heap_bytes() {
  if (mallctl == nullptr) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  }
  // What this thread keeps for reuse counts as allocated, and the figures are of the last epoch.
  mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
  uint64_t epoch = 1;
  mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
  size_t allocated = 0;
  size_t size = sizeof(allocated);
  mallctl("stats.allocated", &allocated, &size, nullptr, 0);
  return allocated;
}

const char* allocator_name() { return mallctl == nullptr ? "glibc" : "jemalloc"; }

}  // namespace shoal::scale
