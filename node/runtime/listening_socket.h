// Sockets to accept connections on. All workers poll the same ones: see worker.h.
#pragma once

#include <sys/socket.h>

#include <string>
#include <variant>

#include "node/config/serve_config.h"
#include "node/runtime/file_descriptor.h"

namespace shoal {

constexpr int kListenBacklog = 4096;  // the system caps it at net.core.somaxconn

struct ListeningSocket {
  FileDescriptor fd;
  std::string address;  // as bound: with the port that the system chose, if it did
  uint16_t port = 0;    // 0: a Unix socket
};

// Or what went wrong: one line that names the listener and its address.
std::variant<ListeningSocket, std::string> listen_on(const ListenerConfig& config);

// The client's IP address, without its port; "unix" for a Unix socket.
std::string address_of_peer(const sockaddr_storage& address);

}  // namespace shoal
