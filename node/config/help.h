// What the table of options says of itself: `shoal serve --help` and docs/configuration.md.
#pragma once

#include <string>

namespace shoal {

std::string serve_help();

// The whole of docs/configuration.md; a test holds the file to it.
std::string configuration_markdown();

}  // namespace shoal
