// The version of the program, set by the build from its one place in CMakeLists.txt.
#pragma once

#include <string_view>

namespace shoal {

extern const std::string_view kVersion;

}  // namespace shoal
