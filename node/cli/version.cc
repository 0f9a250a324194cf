#include "node/cli/version.h"

namespace shoal {

const std::string_view kVersion = SHOAL_VERSION;

}  // namespace shoal
