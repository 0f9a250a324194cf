// StoredState as the text of a file, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/stored_state.h"

namespace shoal {

std::string state_text_of(const StoredState& state);
// The level that a state's cluster is at, also one that is too late to be read. Nothing when the text is
// no whole and unchanged state.
std::optional<uint32_t> level_of_text(std::string_view text);
// Nothing when the text is not a whole and unchanged state_text_of().
std::optional<StoredState> state_of_text(std::string_view text);

}  // namespace shoal
