// What a command did.
#pragma once

#include <string>

namespace shoal {

struct Ran {
  int status;
  std::string out;
  std::string err;
};

}  // namespace shoal
