#pragma once

namespace shoal {

// One visitor of a variant from a function for each of its alternatives.
template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace shoal
