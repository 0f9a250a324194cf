// One option of the program, described once: flag, environment variable, TOML key, help and
// documentation are all derived from the row.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shoal {

// Why a value does not fit.
struct Mismatch {
  std::string expected;  // "a number from 1 to 65535"
  std::string got;       // the part of the value that is wrong

  std::string text() const { return "expected " + expected + ", got \"" + got + "\""; }
};

// How an option's value gets into a Target, and back out as text.
template <class Target>
struct Binding {
  // The values in the order given, commas already split where `is_list`; never empty.
  using Set = std::function<std::optional<Mismatch>(Target&, std::span<const std::string>)>;
  using Print = std::function<std::string(const Target&)>;  // empty: no value

  Set set;
  Print print;
  bool is_list = false;
  bool is_switch = false;  // the flag alone means true
};

template <class Target>
struct Option {
  std::string_view name;         // flag --NAME, TOML key NAME, variable SHOAL_NAME
  std::string_view placeholder;  // what the help shows for the value
  std::string_view group;
  std::string_view help;
  Binding<Target> binding;
  std::string_view default_note = {};  // where the default is not a value of the Target
  bool is_flag_only = false;           // no TOML key: it makes no sense inside the file
};

template <class Target>
std::vector<std::string> names_of(const std::vector<Option<Target>>& options) {
  std::vector<std::string> names;
  for (const auto& option : options) names.emplace_back(option.name);
  return names;
}

template <class Target>
const Option<Target>* option_named(const std::vector<Option<Target>>& options,
                                   std::string_view name) {
  for (const auto& option : options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

// max-packet-size -> SHOAL_MAX_PACKET_SIZE
inline std::string variable_of(std::string_view option_name) {
  std::string variable = "SHOAL_";
  for (const char c : option_name) {
    variable += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return variable;
}

}  // namespace shoal
