// `shoal recover`: what is left of a cluster whose majority is lost for good goes on without the rest
// (docs/cluster.md). On a node that does not run.
#pragma once

#include "node/cli/commands.h"

namespace shoal {

int run_recover(const Args& args, Streams streams);

}  // namespace shoal
