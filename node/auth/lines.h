// Lines of a text file, as mosquitto reads its files: blanks at both ends do not count, nor does a
// carriage return; a line that begins with # is a comment.
#pragma once

#include <algorithm>
#include <string_view>

namespace shoal {

inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Calls `on_line(number, line)` for each line that says something.
template <class OnLine>
void for_each_line(std::string_view text, OnLine on_line) {
  int number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!line.starts_with('#') && !trimmed(line).empty()) on_line(number, trimmed(line));
  }
}

}  // namespace shoal
