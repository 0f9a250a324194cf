// `shoal bench`.
#pragma once

namespace shoal {

// The words after "shoal"; the exit status: 0 when the run went through and no message was lost at
// QoS > 0, doubled at QoS 0 or 2, or out of order; 1 otherwise; 2 for a wrong command line.
int run_bench(int argc, const char* const* argv);

}  // namespace shoal
