#include "node/runtime/clock.h"

#include <time.h>

namespace shoal {
namespace {

int64_t nanoseconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Instant mono_now() { return {nanoseconds_of(CLOCK_BOOTTIME)}; }

Now now() { return {mono_now(), nanoseconds_of(CLOCK_REALTIME) / 1'000'000}; }

}  // namespace shoal
