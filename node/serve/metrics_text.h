// Figures in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats). Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace shoal {

class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a family: what comes next belongs to it. `type` is counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void value(double value, Labels labels = {}) { line("", labels, value); }
  void value(uint64_t value, Labels labels = {}) { line("", labels, value); }
  // One line of a histogram: `suffix` is _bucket, _sum or _count.
  void part(std::string_view suffix, double value, Labels labels = {}) {
    line(suffix, labels, value);
  }

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, Labels labels, double value);
  void line(std::string_view suffix, Labels labels, uint64_t value);
  void begin_line(std::string_view suffix, Labels labels);

  std::string name_;
  std::string text_;
};

}  // namespace shoal
