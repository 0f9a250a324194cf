// The three places that options come from, each read into raw text with its origin. What a value
// means is decided later, by the option's row, alike for all three.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/finding.h"

namespace shoal {

struct RawValue {
  std::vector<std::string> values;  // lists not yet split at commas
  std::string origin;               // "--mqtt", "SHOAL_MQTT" or "shoal.toml:3: mqtt"
};

using RawOptions = std::map<std::string, RawValue>;  // by the option's name

struct FlagSource {
  RawOptions options;
  bool wants_help = false;
  bool wants_markdown = false;  // the hidden --help-markdown: docs/configuration.md
};
// `args` are those after `serve`.
FlagSource read_flags(const std::vector<std::string>& args, Findings& findings);

// Empty variables count as unset: container files pass them so. Unknown ones are a warning only,
// because Kubernetes sets variables of its own for a service called shoal.
RawOptions read_environment(const std::map<std::string, std::string>& variables,
                            Findings& findings);

struct RawListener {
  RawOptions keys;
  std::string origin;  // FILE:LINE: listener
};
struct FileSource {
  RawOptions options;
  std::vector<RawListener> listeners;
};
FileSource read_toml(std::string_view text, const std::string& file_name, Findings& findings);

}  // namespace shoal
