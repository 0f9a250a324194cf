// Puts a merged draft together: listeners from their flags and tables, defaults that depend on
// other options, and the checks of one option against another. Pure.
#pragma once

#include "node/config/draft.h"
#include "node/config/finding.h"
#include "node/config/load.h"

namespace shoal {

ServeConfig resolve(const ServeDraft& draft, const HostFacts& host, Findings& findings);

// The listeners of a draft, in the order of their options and tables; never empty.
std::vector<ListenerConfig> listeners_of(const ServeDraft& draft, Findings& findings);

// What each option says alone may be right and still not fit together.
void check_consistency(const ServeConfig& config, const ServeDraft& draft, Findings& findings);

}  // namespace shoal
