#include "node/runtime/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace shoal {
namespace {

constexpr mode_t kPrivateFile = 0600;

std::string why(const std::string& path, const std::string& what, int error) {
  return path + ": " + what + ": " + std::strerror(error);
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::string holder_of(int lock) {
  char pid[32] = {};
  const ssize_t size = ::pread(lock, pid, sizeof pid - 1, 0);
  return size > 0 ? " (process " + std::string(pid, static_cast<size_t>(size)) + ")" : "";
}

}  // namespace

std::variant<DataDir, std::string> DataDir::open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return path + ": cannot make the data directory: " + error.message();
  FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return why(path, "cannot open the data directory", errno);

  FileDescriptor lock(
      ::openat(directory.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile));
  if (!lock) return why(path, "cannot write to the data directory", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return path + ": another shoal uses this data directory" + holder_of(lock.get());
  }
  if (::ftruncate(lock.get(), 0) != 0 || !write_all(lock.get(), std::to_string(::getpid()))) {
    return why(path, "cannot write to the data directory", errno);
  }
  return DataDir(path, std::move(directory), std::move(lock));
}

std::variant<std::optional<std::string>, std::string> DataDir::read(std::string_view name) const {
  const std::string path = path_of(name);
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return why(path, "cannot be read", errno);
  std::string content;
  char part[4096];
  ssize_t size = 0;
  while ((size = ::read(file.get(), part, sizeof part)) > 0) {
    content.append(part, static_cast<size_t>(size));
  }
  if (size < 0) return why(path, "cannot be read", errno);
  return std::optional<std::string>(std::move(content));
}

std::optional<std::string> DataDir::replace(std::string_view name, std::string_view content) const {
  const std::string path = path_of(name);
  const std::string fresh = path + ".new";
  const FileDescriptor file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPrivateFile));
  const bool is_written = file && write_all(file.get(), content) && ::fsync(file.get()) == 0;
  if (!is_written) return why(fresh, "cannot be written", errno);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return why(path, "cannot be replaced", errno);
  // The name is durable only with its directory.
  if (::fsync(directory_.get()) != 0) return why(path_, "cannot be synced", errno);
  return std::nullopt;
}

std::optional<std::string> DataDir::remove(std::string_view name) const {
  const std::string path = path_of(name);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return why(path, "cannot be removed", errno);
  if (::fsync(directory_.get()) != 0) return why(path_, "cannot be synced", errno);
  return std::nullopt;
}

}  // namespace shoal
