// What is wrong in a line of a password or ACL file.
#pragma once

#include <string>
#include <vector>

namespace shoal {

struct LineError {
  int line = 0;  // from 1
  std::string what;

  std::string text(const std::string& file) const {
    return file + ":" + std::to_string(line) + ": " + what;
  }
  friend bool operator==(const LineError&, const LineError&) = default;
};

using LineErrors = std::vector<LineError>;

}  // namespace shoal
