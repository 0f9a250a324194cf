#include "node/auth/password_file.h"

#include <algorithm>

#include "node/auth/lines.h"

namespace shoal {
namespace {

bool is_line_of(std::string_view line, std::string_view user) {
  if (line.starts_with('#')) return false;
  const size_t colon = line.find(':');
  return colon != std::string_view::npos && trimmed(line.substr(0, colon)) == user;
}

// The text with the user's first line replaced by `line` (if not empty) and any further ones gone.
struct Edited {
  std::string text;
  bool was_there = false;
};
Edited replace_line(std::string_view text, std::string_view user, std::string_view line) {
  Edited edited;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view old = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool is_theirs = is_line_of(old, user);
    if (!is_theirs) {
      edited.text.append(old).append("\n");
    } else if (!edited.was_there && !line.empty()) {
      edited.text.append(line).append("\n");
    }
    edited.was_there |= is_theirs;
  }
  return edited;
}

}  // namespace

std::string with_user(std::string_view text, std::string_view user, std::string_view hash) {
  const std::string line = std::string(user) + ":" + std::string(hash);
  Edited edited = replace_line(text, user, line);
  if (!edited.was_there) edited.text += line + "\n";
  return std::move(edited.text);
}

std::optional<std::string> without_user(std::string_view text, std::string_view user) {
  Edited edited = replace_line(text, user, {});
  if (!edited.was_there) return std::nullopt;
  return std::move(edited.text);
}

}  // namespace shoal
