#include "shoal/assert.h"

#include <cstdio>
#include <cstdlib>

namespace shoal {

void assert_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "shoal: internal error: %s (%s:%d); this node stops\n", condition, file,
               line);
  std::abort();
}

}  // namespace shoal
