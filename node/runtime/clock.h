// The clocks of this machine.
#pragma once

#include "shoal/types.h"

namespace shoal {

Instant mono_now();  // CLOCK_BOOTTIME
Now now();

}  // namespace shoal
