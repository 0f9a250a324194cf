#include "node/runtime/listening_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace shoal {
namespace {

// A client that vanished without a word and has no keep-alive of its own is noticed in four minutes.
constexpr int kTcpKeepIdleSeconds = 120;
constexpr int kTcpKeepIntervalSeconds = 30;
constexpr int kTcpKeepCount = 4;

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

// Linux hands these on to the accepted sockets, so that accepting one needs no further call.
void set_options_for_clients(int fd) {
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kTcpKeepIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kTcpKeepIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kTcpKeepCount);
}

std::string failure(const ListenerConfig& config, const std::string& why) {
  return "listener " + config.name + " on " + config.address_text() + ": " + why;
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// 0, or the error.
int bind_and_listen(int fd, const sockaddr* address, socklen_t size) {
  if (::bind(fd, address, size) != 0) return errno;
  return ::listen(fd, kListenBacklog) == 0 ? 0 : errno;
}

std::variant<ListeningSocket, std::string> listen_on_tcp(const ListenerConfig& config) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(config.address.port);
  const int unresolved = ::getaddrinfo(config.address.host.c_str(), port.c_str(), &hints, &found);
  if (unresolved != 0) return failure(config, ::gai_strerror(unresolved));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address(found, freeaddrinfo);

  FileDescriptor fd(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failure(config, std::strerror(errno));
  set_options_for_clients(fd.get());
  const int error = bind_and_listen(fd.get(), address->ai_addr, address->ai_addrlen);
  if (error != 0) return failure(config, std::strerror(error));
  ListeningSocket socket{std::move(fd), {}, 0};
  socket.port = port_of(socket.fd.get());
  socket.address = HostPort{config.address.host, socket.port}.text();
  return socket;
}

// A socket file that nobody listens on is left over from a process that was killed.
bool is_left_over(const sockaddr_un& address) {
  const FileDescriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

std::variant<ListeningSocket, std::string> listen_on_unix(const ListenerConfig& config) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (config.unix_path.size() >= sizeof address.sun_path) {
    return failure(config, "the path is too long for a Unix socket");
  }
  std::memcpy(address.sun_path, config.unix_path.data(), config.unix_path.size());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failure(config, std::strerror(errno));
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address);
  int error = bind_and_listen(fd.get(), plain, sizeof address);
  if (error == EADDRINUSE && is_left_over(address)) {
    ::unlink(config.unix_path.c_str());
    error = bind_and_listen(fd.get(), plain, sizeof address);
  }
  if (error != 0) return failure(config, std::strerror(error));
  return ListeningSocket{std::move(fd), config.unix_path, 0};
}

}  // namespace

std::variant<ListeningSocket, std::string> listen_on(const ListenerConfig& config) {
  return config.type == ListenerType::kUnix ? listen_on_unix(config) : listen_on_tcp(config);
}

std::string address_of_peer(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text,
                sizeof text);
    return text;
  }
  if (address.ss_family != AF_INET6) return "unix";
  const in6_addr& bytes = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  // A socket for both families shows IPv4 clients like this; rules and people know them without.
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
    ::inet_ntop(AF_INET, &bytes.s6_addr[12], text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &bytes, text, sizeof text);
  }
  return text;
}

}  // namespace shoal
