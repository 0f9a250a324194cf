// Bytes as a peer sends a batch: never a crash, and what is accepted is written back alike.
#include <cstdio>
#include <cstdlib>

#include "tests/rules/forward_roundtrip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  std::optional<shoal::ParsedForwardBatch> parsed = shoal::parse_forward_batch(bytes);
  if (!parsed) return 0;
  if (const char* wrong = shoal::check_accepted_batch(bytes, *parsed)) {
    std::fprintf(stderr, "%s\n", wrong);
    std::abort();
  }
  return 0;
}
