// From what the person said (flags, environment, file) to a ServeConfig. Reads the one file that
// --config names; everything else it decides from its arguments, so that tests need no machine.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/finding.h"
#include "node/config/serve_config.h"

namespace shoal {

struct HostFacts {
  std::string name;    // the default of --node-name
  uint32_t cores = 1;  // the default of --workers
};

struct LoadInput {
  std::vector<std::string> args;  // those after `serve`
  std::map<std::string, std::string> environment;
  HostFacts host;
};

struct Loaded {
  ServeConfig config;  // meaningless if the findings have errors
  Findings findings;
  // Option -> the flag, variable or FILE:LINE: KEY that set it.
  std::map<std::string, std::string> origins;
  bool wants_help = false;
  bool wants_markdown = false;

  std::string origin_of(const std::string& option) const {
    const auto found = origins.find(option);
    return found == origins.end() ? "--" + option : found->second;
  }
};

Loaded load_serve_config(const LoadInput& input);

// The same of a file's text alone, without flags and environment: for `shoal check`.
Loaded load_config_text(std::string_view text, const std::string& file_name, const HostFacts& host);

}  // namespace shoal
