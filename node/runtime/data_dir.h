// The data directory of a node: made if it is missing, used by one process at a time, and small files
// in it that are replaced whole. What the files hold is their owners' business.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "node/runtime/file_descriptor.h"

namespace shoal {

class DataDir {
 public:
  // Or what went wrong: one line that names the directory.
  static std::variant<DataDir, std::string> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view name) const { return path_ + "/" + std::string(name); }

  // Nothing if there is no such file. An error is a text that names the file.
  std::variant<std::optional<std::string>, std::string> read(std::string_view name) const;

  // Durable when it returns: after a power cut the file is the old one or the new one, whole. An
  // error is a text that names the file. Any thread, one at a time for each name.
  std::optional<std::string> replace(std::string_view name, std::string_view content) const;
  // Durable too; no error where there is no such file.
  std::optional<std::string> remove(std::string_view name) const;

 private:
  DataDir(std::string path, FileDescriptor directory, FileDescriptor lock)
      : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

  std::string path_;
  FileDescriptor directory_;
  FileDescriptor lock_;
};

}  // namespace shoal
