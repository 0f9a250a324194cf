#include "node/client/backup/directory_target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace shoal::backup {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnersFile = 0600;  // it holds what clients send
constexpr char kUnfinished[] = ".new";

absl::Status io_error(const std::string& path, const std::string& what, int error) {
  return absl::UnavailableError(path + ": " + what + ": " + std::strerror(error));
}

bool write_file(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0;
}

absl::Status sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = fd >= 0 && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  return is_synced ? absl::OkStatus() : io_error(path, "cannot be synced", why);
}

class DirectoryTarget : public Target {
 public:
  explicit DirectoryTarget(std::string directory) : directory_(std::move(directory)) {}

  std::string text() const override { return directory_; }
  absl::Status put(const std::string& name, const std::string& bytes) override;
  absl::StatusOr<std::optional<std::string>> get(const std::string& name) override;
  absl::StatusOr<std::vector<StoredObject>> list(const std::string& prefix) override;
  absl::Status remove(const std::string& name) override;

 private:
  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }
  absl::Status make_folders(const fs::path& folder) const;

  const std::string directory_;
};

// Each is durable in the one that it stands in.
absl::Status DirectoryTarget::make_folders(const fs::path& folder) const {
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) return absl::OkStatus();
  if (absl::Status made = make_folders(folder.parent_path()); !made.ok()) return made;
  if (!fs::create_directory(folder, error) && error) {
    return absl::UnavailableError(folder.string() + ": cannot be made: " + error.message());
  }
  fs::permissions(folder, fs::perms::owner_all, error);
  return sync_folder(folder.has_parent_path() ? folder.parent_path().string() : ".");
}

absl::Status DirectoryTarget::put(const std::string& name, const std::string& bytes) {
  const std::string path = path_of(name);
  const std::string folder = fs::path(path).parent_path().string();
  if (absl::Status made = make_folders(folder); !made.ok()) return made;
  const std::string fresh = path + kUnfinished;
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnersFile);
  const bool is_written = fd >= 0 && write_file(fd, bytes);
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!is_written) {
    ::unlink(fresh.c_str());
    return io_error(fresh, "cannot be written", why);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return io_error(path, "cannot be written", errno);
  }
  return sync_folder(folder);
}

absl::StatusOr<std::optional<std::string>> DirectoryTarget::get(const std::string& name) {
  const std::string path = path_of(name);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (fd < 0) return io_error(path, "cannot be read", errno);
  std::string bytes;
  ssize_t size = 0;
  char part[64 * 1024];
  while ((size = ::read(fd, part, sizeof part)) > 0) bytes.append(part, static_cast<size_t>(size));
  const int why = errno;
  ::close(fd);
  if (size < 0) return io_error(path, "cannot be read", why);
  return std::optional<std::string>(std::move(bytes));
}

absl::StatusOr<std::vector<StoredObject>> DirectoryTarget::list(const std::string& prefix) {
  std::vector<StoredObject> found;
  std::error_code error;
  const fs::path root(directory_);
  if (!fs::exists(root / prefix, error)) return found;
  for (fs::recursive_directory_iterator at(root / prefix, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().lexically_relative(root).string();
    std::error_code gone;  // another process may remove it meanwhile
    if (!at->is_regular_file(gone) || name.ends_with(kUnfinished)) continue;
    const uint64_t size = at->file_size(gone);
    if (!gone) found.push_back({name, size});
  }
  if (error) {
    return absl::UnavailableError((root / prefix).string() +
                                  ": cannot be read: " + error.message());
  }
  return found;
}

absl::Status DirectoryTarget::remove(const std::string& name) {
  const std::string path = path_of(name);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return io_error(path, "cannot be removed", errno);
}

}  // namespace

std::unique_ptr<Target> make_directory_target(const std::string& directory) {
  std::string path = directory;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return std::make_unique<DirectoryTarget>(std::move(path));
}

}  // namespace shoal::backup
