// What stands before the broker on one listener, as its configuration says: PROXY header, then TLS,
// then WebSocket, each or none.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "node/config/serve_config.h"
#include "node/runtime/tls_context.h"
#include "node/runtime/transport.h"
#include "node/runtime/websocket_handshake.h"

namespace shoal {

class ListenerTransports {
 public:
  using Make = std::function<std::unique_ptr<Transport>(int fd, const std::string& address)>;

  explicit ListenerTransports(const ListenerConfig& config);

  // Reads the certificates, where there are any; what is wrong, if something is: then those in use
  // stay. Before make() is first called, and whenever they changed.
  std::optional<std::string> load();

  // For WorkerListener; empty for plain TCP. Any thread. What it makes, and itself, does not outlive
  // this object.
  Make make();

 private:
  std::unique_ptr<Transport> after_proxy_header(int fd, const std::string& address);
  std::shared_ptr<const TlsContext> tls() const;

  const ListenerConfig& config_;
  const WebSocketRules websocket_;
  Make after_proxy_header_;  // empty: plain TCP
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsContext> tls_;
};

}  // namespace shoal
