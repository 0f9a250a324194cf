// The topic rules of 4.7 written once more, as plainly as they can be: the judge of the fast forms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shoal {

inline std::vector<std::string> split_levels(std::string_view text) {
  std::vector<std::string> levels(1);
  for (const char c : text) {
    if (c == '/') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  return levels;
}

inline bool naive_matches(const std::vector<std::string>& filter,
                          const std::vector<std::string>& topic, size_t at = 0) {
  if (at == filter.size()) return at == topic.size();
  const bool wildcard = filter[at] == "+" || filter[at] == "#";
  if (at == 0 && wildcard && topic[0].starts_with('$')) return false;
  if (filter[at] == "#") return true;
  if (at == topic.size()) return false;
  return (filter[at] == "+" || filter[at] == topic[at]) && naive_matches(filter, topic, at + 1);
}

inline bool naive_matches(std::string_view filter, std::string_view topic) {
  return naive_matches(split_levels(filter), split_levels(topic));
}

// Every text of up to `levels_max` of the given levels, and `last` ones only at the end.
inline std::vector<std::string> all_texts(const std::vector<std::string>& levels,
                                          const std::vector<std::string>& last, int levels_max) {
  std::vector<std::string> out;
  std::vector<std::string> prefixes = {""};
  for (int depth = 1; depth <= levels_max; ++depth) {
    std::vector<std::string> longer;
    for (const std::string& prefix : prefixes) {
      for (const std::string& level : last) out.push_back(prefix + level);
      for (const std::string& level : levels) {
        out.push_back(prefix + level);
        longer.push_back(prefix + level + '/');
      }
    }
    prefixes = std::move(longer);
  }
  std::erase(out, "");
  return out;
}

inline std::vector<std::string> all_filters() {
  return all_texts({"a", "b", "", "$", "+"}, {"#"}, 3);
}
inline std::vector<std::string> all_topics() { return all_texts({"a", "b", "", "$"}, {}, 4); }

}  // namespace shoal
