#include "node/runtime/plain_io.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "node/runtime/write_turn.h"

namespace shoal {
IoResult read_socket(int fd, std::span<uint8_t> buffer) {
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size > 0) {
    const bool is_short = static_cast<size_t>(size) < buffer.size();
    return {is_short ? IoResult::Status::kWantRead : IoResult::Status::kOpen,
            static_cast<size_t>(size)};
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {IoResult::Status::kWantRead};
  return {IoResult::Status::kClosed};
}

IoResult write_socket(int fd, std::span<const std::span<const uint8_t>> pieces) {
  std::array<iovec, kGatheredPieces> vectors;
  size_t offered = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    vectors[i] = {const_cast<uint8_t*>(pieces[i].data()), pieces[i].size()};
    offered += pieces[i].size();
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = pieces.size();
  const ssize_t written = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (written < 0) {
    const bool is_full = errno == EAGAIN || errno == EINTR;
    return {is_full ? IoResult::Status::kWantWrite : IoResult::Status::kClosed};
  }
  const bool is_all = static_cast<size_t>(written) == offered;
  return {is_all ? IoResult::Status::kOpen : IoResult::Status::kWantWrite,
          static_cast<size_t>(written)};
}

IoResult write_socket(int fd, Output& output) {
  return write_turn(output, [fd](auto pieces) { return write_socket(fd, pieces); });
}

}  // namespace shoal
