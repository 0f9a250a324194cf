// The files that a configuration names: are they there, and are they what they should be?
#pragma once

#include <cstdint>

#include "node/config/load.h"

namespace shoal {

// Adds to the findings; an error names the option and the file, or the line in it. `now_s` (Unix
// time) judges certificates.
void check_files(Loaded& loaded, int64_t now_s);

}  // namespace shoal
