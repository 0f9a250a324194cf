// StoredState as the text of a file, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/stored_state.h"

namespace shoal {

std::string state_text_of(const StoredState& state);
// Nothing when the text is not a whole and unchanged state_text_of().
std::optional<StoredState> state_of_text(std::string_view text);

}  // namespace shoal
