// SHOAL_ASSERT: our own code is wrong, so this node stops; the others carry on. On in release
// builds. Never used on bytes from outside before they are validated.
#pragma once

namespace shoal {
[[noreturn]] void assert_failed(const char* condition, const char* file, int line);
}  // namespace shoal

#define SHOAL_ASSERT(condition)                      \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::shoal::assert_failed(#condition, __FILE__, __LINE__))
