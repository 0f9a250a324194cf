#include "node/auth/filters.h"

#include <optional>

namespace shoal {
namespace {

// Goes over a filter level by level.
class Levels {
 public:
  explicit Levels(std::string_view filter) : rest_(filter) {}

  std::optional<std::string_view> next() {
    if (is_done_) return std::nullopt;
    const size_t slash = rest_.find('/');
    const std::string_view level = rest_.substr(0, slash);
    is_done_ = slash == std::string_view::npos;
    if (!is_done_) rest_.remove_prefix(slash + 1);
    return level;
  }

 private:
  std::string_view rest_;
  bool is_done_ = false;
};

bool begins_with_wildcard(std::string_view filter) {
  return filter.starts_with('+') || filter.starts_with('#');
}

// One begins with a wildcard, the other is a system topic.
bool is_kept_apart(std::string_view a, std::string_view b) {
  return (begins_with_wildcard(a) && b.starts_with('$')) ||
         (begins_with_wildcard(b) && a.starts_with('$'));
}

}  // namespace

bool is_valid_filter(std::string_view filter) {
  if (filter.empty() || filter.find('\0') != std::string_view::npos) return false;
  Levels levels(filter);
  bool is_after_hash = false;
  while (const auto level = levels.next()) {
    if (is_after_hash) return false;
    if (level->size() > 1 && level->find_first_of("+#") != std::string_view::npos) return false;
    is_after_hash = *level == "#";
  }
  return true;
}

bool do_filters_overlap(std::string_view a, std::string_view b) {
  if (is_kept_apart(a, b)) return false;
  Levels a_levels(a);
  Levels b_levels(b);
  while (true) {
    const auto in_a = a_levels.next();
    const auto in_b = b_levels.next();
    // "a/#" matches "a" too, so that a # may meet the end of the other.
    if (in_a == "#" || in_b == "#") return true;
    if (!in_a || !in_b) return !in_a && !in_b;
    if (*in_a != "+" && *in_b != "+" && *in_a != *in_b) return false;
  }
}

bool does_filter_cover(std::string_view wide, std::string_view narrow) {
  if (is_kept_apart(wide, narrow)) return false;
  Levels wide_levels(wide);
  Levels narrow_levels(narrow);
  while (true) {
    const auto in_wide = wide_levels.next();
    const auto in_narrow = narrow_levels.next();
    if (in_wide == "#") return true;
    if (!in_wide || !in_narrow) return !in_wide && !in_narrow;
    if (*in_narrow == "#") return false;
    if (*in_wide != "+" && *in_wide != *in_narrow) return false;
  }
}

}  // namespace shoal
