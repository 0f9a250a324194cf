// Changes to the text of a password file. Pure; every other line, comments included, stays as it
// is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shoal {

// Replaces the user's line, or appends one. `hash` is PasswordHash's text.
std::string with_user(std::string_view text, std::string_view user, std::string_view hash);

// nullopt if there is no such user.
std::optional<std::string> without_user(std::string_view text, std::string_view user);

}  // namespace shoal
