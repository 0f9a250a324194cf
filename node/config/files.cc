#include "node/config/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace shoal {
namespace {

constexpr size_t kSmallFileMax = size_t{64} << 20;

FileError failed(const char* verb) {
  return {std::string("cannot ") + verb + ": " + std::strerror(errno)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

// The name survives a power cut only once its directory is synced too.
void sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.fd() >= 0) ::fsync(handle.fd());
}

std::string link_target_of(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

// Ownership first: chown clears bits of the mode.
bool take_over_attributes(int fd, const struct stat& old) {
  if (::fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM) return false;
  return ::fchmod(fd, old.st_mode & 07777) == 0;
}

}  // namespace

std::variant<std::string, FileError> read_small_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return failed("read");
  std::string text;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t count = ::read(file.fd(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read");
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kSmallFileMax) return FileError{"cannot read: larger than 64 MiB"};
  }
}

FileError replace_file(const std::string& path, const std::string& text) {
  const std::string target = link_target_of(path);
  std::string temporary = target + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // made with mode 0600
  if (file.fd() < 0) return failed("write beside it");
  struct stat old {};
  const bool existed = ::stat(target.c_str(), &old) == 0;
  const bool written = (!existed || take_over_attributes(file.fd(), old)) &&
                       write_all(file.fd(), text) && ::fsync(file.fd()) == 0 &&
                       ::rename(temporary.c_str(), target.c_str()) == 0;
  if (!written) {
    const FileError error = failed("write");
    ::unlink(temporary.c_str());
    return error;
  }
  sync_directory_of(target);
  return {};
}

}  // namespace shoal
