// Small files, whole: configurations, password files, tokens.
#pragma once

#include <string>
#include <variant>

namespace shoal {

struct FileError {
  std::string what;  // "cannot read: No such file or directory"
};

// At most 64 MiB: what is larger is not a configuration but a wrong path.
std::variant<std::string, FileError> read_small_file(const std::string& path);

// Replaces the file in one step, so that a reader or a crash meets the old or the new text, never
// half of it. An existing file keeps its mode and, where permitted, its owner; a new one gets 0600.
// A symbolic link is followed, not replaced. nullopt-like: an empty `what` means it is done.
FileError replace_file(const std::string& path, const std::string& text);

}  // namespace shoal
