// A file descriptor and its one owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace shoal {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  void reset() { FileDescriptor().swap(*this); }
  void swap(FileDescriptor& other) { std::swap(fd_, other.fd_); }

 private:
  int fd_ = -1;
};

}  // namespace shoal
