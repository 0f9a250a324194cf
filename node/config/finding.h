// What is wrong, or doubtful, with a configuration.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace shoal {

struct Finding {
  enum class Severity : uint8_t { kError, kWarning };

  Severity severity = Severity::kError;
  std::string where;  // the flag, the variable, or FILE:LINE: KEY
  std::string what;   // what was expected, and what was there

  std::string text() const { return where.empty() ? what : where + ": " + what; }
};

// Collects findings, so that one run names all mistakes and not only the first.
class Findings {
 public:
  void error(std::string where, std::string what) {
    all_.push_back({Finding::Severity::kError, std::move(where), std::move(what)});
  }
  void warning(std::string where, std::string what) {
    all_.push_back({Finding::Severity::kWarning, std::move(where), std::move(what)});
  }
  bool has_errors() const {
    return std::any_of(all_.begin(), all_.end(), [](const Finding& finding) {
      return finding.severity == Finding::Severity::kError;
    });
  }
  const std::vector<Finding>& all() const { return all_; }

 private:
  std::vector<Finding> all_;
};

}  // namespace shoal
