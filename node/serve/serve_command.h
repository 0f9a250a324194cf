// `shoal serve`
#pragma once

#include <string>
#include <vector>

#include "node/cli/commands.h"

namespace shoal {

int run_serve(const Args& args, Streams streams);

}  // namespace shoal
