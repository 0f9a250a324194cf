// `shoal ctl`.
#pragma once

#include "node/client/ctl/backup.h"

namespace shoal {

// A name, then the words after "ctl"; the exit status: 0 done, 1 the node did not answer or could
// not do it, 2 a wrong command line.
int run_ctl(int argc, const char* const* argv, const ctl::RestoreFunction& restore);

}  // namespace shoal
