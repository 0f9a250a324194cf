#include "node/config/draft.h"
#include "node/config/sources.h"
#include "node/config/values.h"

namespace shoal {

RawOptions read_environment(const std::map<std::string, std::string>& variables,
                            Findings& findings) {
  RawOptions options;
  std::map<std::string, std::string, std::less<>> option_of;
  std::vector<std::string> known;
  for (const auto& option : serve_options()) {
    known.push_back(variable_of(option.name));
    option_of.emplace(known.back(), option.name);
  }
  for (const auto& [variable, value] : variables) {
    if (!variable.starts_with("SHOAL_") || value.empty()) continue;
    const auto found = option_of.find(variable);
    if (found != option_of.end()) {
      options[found->second] = {{value}, variable};
      continue;
    }
    const std::string nearest = nearest_name(variable, known);
    findings.warning(variable, "no such variable, ignored" +
                                   (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }
  return options;
}

}  // namespace shoal
