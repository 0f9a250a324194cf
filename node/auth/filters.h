// Relations between topic filters; pure. `$` in the first place is apart: no wildcard there matches
// it [MQTT5-4.7.2-1].
#pragma once

#include <string_view>

namespace shoal {

// Not empty, no NUL, `#` alone in the last level, `+` alone in its level [MQTT5-4.7.1-1],
// [MQTT5-4.7.1-2].
bool is_valid_filter(std::string_view filter);

// Is there a topic that both match?
bool do_filters_overlap(std::string_view a, std::string_view b);

// Does `wide` match every topic that `narrow` matches? May answer no for filters that only look
// different ("+/#" and "#").
bool does_filter_cover(std::string_view wide, std::string_view narrow);

}  // namespace shoal
