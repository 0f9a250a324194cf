// What a node that does not run tells of itself to those that survive with it: one line of JSON.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "cluster/core/stored_state.h"
#include "cluster/engine/recovery_plan.h"

namespace shoal {

engine::NodeReport report_of(const StoredState& state, std::vector<engine::HeldReplica> held);

std::string text_of(const engine::NodeReport& report);
// Otherwise what is wrong with it.
std::variant<engine::NodeReport, std::string> report_of_text(std::string_view text);

}  // namespace shoal
