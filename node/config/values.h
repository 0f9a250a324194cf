// The values of options as text, and back. Pure; nullopt for whatever is not exactly one value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/types.h"

namespace shoal {

std::optional<uint64_t> number_of(std::string_view text);
std::optional<bool> switch_of(std::string_view text);  // true false on off yes no 1 0

// "500ms", "20s", "5m", "1h", "7d", and "0". Another number without a unit is refused: some mean
// seconds by it and some milliseconds.
std::optional<Duration> duration_of(std::string_view text);
std::string text_of(Duration duration);

// Bytes: "64MiB", "4KiB", "1GiB", "1TiB", "5MB" (decimal) or a bare number.
std::optional<uint64_t> size_of(std::string_view text);
std::string size_text_of(uint64_t bytes);

// Splits at commas and drops blanks around the parts; an empty text has no part.
std::vector<std::string> split_list(std::string_view text);

// The name most like `name`, or empty if none is like it.
std::string nearest_name(std::string_view name, const std::vector<std::string>& names);

}  // namespace shoal
