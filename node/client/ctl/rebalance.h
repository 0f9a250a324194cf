// `shoal ctl` while replicas move.
#pragma once

#include "node/client/ctl/admin_client.h"

namespace shoal::ctl {

// Tells what is under way, once a second, until nothing is left to be moved; the exit status.
int watch_rebalance(const AdminClient& client, const CtlOptions& options);

// This node's replicas go to others, with progress; until it has none, or there are too few others. The
// exit status.
int move_away(const AdminClient& client, const CtlOptions& options);

}  // namespace shoal::ctl
