// Deliberate mistakes, to test the simulator: SHOAL_MUTATED("name") is false in every build but the
// one that has a file mutations_on.h, where it is true for the one mutation that was switched on. Each
// name that stands in the code is in a tests/*/mutations.txt, and the simulator there must catch it.
// A file, since a definition for the compiler would make other objects of all sources: so only those
// that include this are compiled once more.
#pragma once

#if __has_include("mutations_on.h")
#define SHOAL_MUTATIONS

#include <string>
#include <string_view>

namespace shoal {
inline std::string& mutation_on() {
  static std::string name;
  return name;
}
inline bool is_mutated(std::string_view name) { return mutation_on() == name; }
}  // namespace shoal

#define SHOAL_MUTATED(name) (::shoal::is_mutated(name))

#else

#define SHOAL_MUTATED(name) (false)

#endif
