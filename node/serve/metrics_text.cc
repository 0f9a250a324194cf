#include "node/serve/metrics_text.h"

#include <array>
#include <cinttypes>
#include <cstdio>

namespace shoal {

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name_).append(" ").append(type).append("\n");
}

void MetricsText::begin_line(std::string_view suffix, Labels labels) {
  text_.append(name_).append(suffix);
  char separator = '{';
  for (const auto& [key, value] : labels) {
    text_ += separator;
    text_.append(key).append("=\"");
    for (const char c : value) {
      if (c == '\\' || c == '"') text_ += '\\';
      c == '\n' ? text_ += "\\n" : text_ += c;
    }
    text_ += '"';
    separator = ',';
  }
  if (labels.size() != 0) text_ += '}';
  text_ += ' ';
}

void MetricsText::line(std::string_view suffix, Labels labels, double value) {
  begin_line(suffix, labels);
  std::array<char, 32> number{};
  std::snprintf(number.data(), number.size(), "%.9g\n", value);
  text_ += number.data();
}

void MetricsText::line(std::string_view suffix, Labels labels, uint64_t value) {
  begin_line(suffix, labels);
  text_ += std::to_string(value) + "\n";
}

}  // namespace shoal
