#include "node/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

namespace shoal {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Smallest first: the printers go through them backwards for the largest unit that divides evenly.
constexpr std::array kDurationUnits = {
    Unit{"ms", 1'000'000},        Unit{"s", 1'000'000'000},      Unit{"m", 60'000'000'000},
    Unit{"h", 3'600'000'000'000}, Unit{"d", 86'400'000'000'000},
};
constexpr std::array kSizeUnits = {
    Unit{"KiB", uint64_t{1} << 10},
    Unit{"MiB", uint64_t{1} << 20},
    Unit{"GiB", uint64_t{1} << 30},
    Unit{"TiB", uint64_t{1} << 40},
};
constexpr std::array kDecimalSizeUnits = {
    Unit{"kB", 1'000},
    Unit{"MB", 1'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"TB", 1'000'000'000'000},
};

template <size_t N>
std::optional<uint64_t> scaled(std::string_view text, const std::array<Unit, N>& units) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = number_of(text.substr(0, digits));
  if (!count) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    uint64_t product = 0;
    if (__builtin_mul_overflow(*count, unit.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

template <size_t N>
std::string unit_text(uint64_t value, const std::array<Unit, N>& units) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    if (value != 0 && value % unit->factor == 0) {
      return std::to_string(value / unit->factor) + std::string(unit->name);
    }
  }
  return std::to_string(value);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> switch_of(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "off" || text == "no" || text == "0") return false;
  return std::nullopt;
}

std::optional<Duration> duration_of(std::string_view text) {
  if (text == "0") return Duration{};
  const auto ns = scaled(text, kDurationUnits);
  if (!ns || *ns > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return Duration{static_cast<int64_t>(*ns)};
}

std::string text_of(Duration duration) {
  return unit_text(static_cast<uint64_t>(duration.ns), kDurationUnits);
}

std::optional<uint64_t> size_of(std::string_view text) {
  if (const auto bytes = number_of(text)) return bytes;
  if (const auto bytes = scaled(text, kSizeUnits)) return bytes;
  return scaled(text, kDecimalSizeUnits);
}

std::string size_text_of(uint64_t bytes) { return unit_text(bytes, kSizeUnits); }

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  const auto trimmed = [](std::string_view part) {
    const size_t first = part.find_first_not_of(" \t");
    if (first == std::string_view::npos) return std::string();
    return std::string(part.substr(first, part.find_last_not_of(" \t") - first + 1));
  };
  if (trimmed(text).empty()) return parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    parts.push_back(trimmed(text.substr(start, comma - start)));
    start = comma + 1;
  }
  return parts;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& names) {
  constexpr size_t kNameMax = 64;  // the distance costs length times length
  if (name.size() < 2 || name.size() > kNameMax) return {};
  // A third of the letters wrong is still the same word mistyped; more is another word.
  size_t best_distance = (name.size() < 4 ? 1 : std::max<size_t>(2, name.size() / 3)) + 1;
  std::string best;
  for (const std::string& candidate : names) {
    const size_t distance = edit_distance(name, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

}  // namespace shoal
