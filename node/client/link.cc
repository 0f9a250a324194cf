#include "node/client/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace shoal {
namespace {

int poll_ms(Duration timeout) {
  return static_cast<int>(std::clamp<int64_t>(timeout.to_millis(), 0, INT_MAX));
}

LinkError tls_error(const std::string& what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return {what + ": " + text};
}

// Non-blocking only while it connects, so that the timeout is ours and not the system's.
bool connect_within(int socket, const sockaddr* address, socklen_t size, Duration timeout) {
  if (connect(socket, address, size) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waiting{socket, POLLOUT, 0};
  if (poll(&waiting, 1, poll_ms(timeout)) != 1) {
    errno = ETIMEDOUT;
    return false;
  }
  socklen_t length = sizeof errno;
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &errno, &length) == 0 && errno == 0;
}

}  // namespace

ClientLink::~ClientLink() { close(); }

void ClientLink::close() {
  if (tls_ != nullptr) SSL_free(tls_);
  if (tls_context_ != nullptr) SSL_CTX_free(tls_context_);
  if (socket_ >= 0) ::close(socket_);
  tls_ = nullptr;
  tls_context_ = nullptr;
  socket_ = -1;
  received_.clear();
  used_ = 0;
}

std::optional<LinkError> ClientLink::open(const LinkTarget& target, Duration timeout) {
  close();
  if (auto error = connect_socket(target, timeout)) return error;
  if (target.ca_file.empty()) return std::nullopt;
  auto error = start_tls(target);
  if (error) close();
  return error;
}

std::optional<LinkError> ClientLink::connect_socket(const LinkTarget& target, Duration timeout) {
  const std::string where = target.host + ":" + std::to_string(target.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status =
      getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (status != 0) return LinkError{"cannot resolve " + where + ": " + gai_strerror(status)};
  for (addrinfo* at = found; at != nullptr && socket_ < 0; at = at->ai_next) {
    socket_ = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_ >= 0 && !connect_within(socket_, at->ai_addr, at->ai_addrlen, timeout)) {
      const int why = errno;
      ::close(socket_);
      socket_ = -1;
      errno = why;
    }
  }
  const int why = errno;
  freeaddrinfo(found);
  if (socket_ < 0) return LinkError{"cannot connect to " + where + ": " + std::strerror(why)};
  const int flags = fcntl(socket_, F_GETFL);
  fcntl(socket_, F_SETFL, flags & ~O_NONBLOCK);
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return std::nullopt;
}

std::optional<LinkError> ClientLink::start_tls(const LinkTarget& target) {
  tls_context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(tls_context_, TLS1_2_VERSION);
  if (SSL_CTX_load_verify_locations(tls_context_, target.ca_file.c_str(), nullptr) != 1) {
    return tls_error("--cafile " + target.ca_file);
  }
  SSL_CTX_set_verify(tls_context_, SSL_VERIFY_PEER, nullptr);
  tls_ = SSL_new(tls_context_);
  in6_addr address;
  const bool is_address = inet_pton(AF_INET, target.host.c_str(), &address) == 1 ||
                          inet_pton(AF_INET6, target.host.c_str(), &address) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_), target.host.c_str());
  } else {
    SSL_set1_host(tls_, target.host.c_str());
    SSL_set_tlsext_host_name(tls_, target.host.c_str());
  }
  SSL_set_fd(tls_, socket_);
  if (SSL_connect(tls_) != 1) return tls_error("TLS with " + target.host);
  return std::nullopt;
}

std::optional<LinkError> ClientLink::send(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const std::ptrdiff_t sent =
        tls_ != nullptr ? SSL_write(tls_, bytes.data(),
                                    static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX)))
                        : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && tls_ == nullptr && errno == EINTR) continue;
    if (sent <= 0) return LinkError{"the connection broke while sending"};
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return std::nullopt;
}

bool ClientLink::has_buffered() const { return tls_ != nullptr && SSL_pending(tls_) > 0; }

bool ClientLink::wait_readable(Duration timeout) {
  if (has_buffered()) return true;
  pollfd waiting{socket_, POLLIN, 0};
  return poll(&waiting, 1, poll_ms(timeout)) > 0;
}

std::ptrdiff_t ClientLink::read_some(std::span<uint8_t> into) {
  if (tls_ != nullptr) return SSL_read(tls_, into.data(), static_cast<int>(into.size()));
  return recv(socket_, into.data(), into.size(), 0);
}

ClientLink::Received ClientLink::receive(ProtocolVersion version, Duration timeout, Decoded& out) {
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ = 0;
  while (true) {
    Frame frame;
    const FrameStatus status = next_frame(received_, kPacketSizeMax, frame);
    if (status == FrameStatus::kComplete) {
      used_ = frame.size;
      out = decode_packet(frame, version, Sender::kServer);
      return std::holds_alternative<Malformed>(out) ? Received::kBroken : Received::kPacket;
    }
    if (status != FrameStatus::kNeedMore) return Received::kBroken;
    if (!wait_readable(timeout)) return Received::kTimeout;
    uint8_t some[64 * 1024];
    const std::ptrdiff_t size = read_some(some);
    if (size <= 0) return Received::kClosed;
    received_.insert(received_.end(), some, some + size);
  }
}

}  // namespace shoal
