#include "node/runtime/listener_transports.h"

#include <utility>

#include "node/runtime/plain_stream.h"
#include "node/runtime/proxy_transport.h"
#include "node/runtime/tls_transport.h"
#include "node/runtime/websocket_transport.h"

namespace shoal {

ListenerTransports::ListenerTransports(const ListenerConfig& config)
    : config_(config), websocket_{config.allowed_origins, config.path, config.trusted_proxies} {
  if (!is_tls(config.type) && !is_websocket(config.type)) return;
  after_proxy_header_ = [this](int fd, const std::string& address) {
    return after_proxy_header(fd, address);
  };
}

std::optional<std::string> ListenerTransports::load() {
  if (!is_tls(config_.type)) return std::nullopt;
  auto loaded = TlsContext::load(config_);
  if (auto* error = std::get_if<std::string>(&loaded)) return std::move(*error);
  const std::lock_guard lock(mutex_);
  tls_ = std::get<std::shared_ptr<const TlsContext>>(std::move(loaded));
  return std::nullopt;
}

ListenerTransports::Make ListenerTransports::make() {
  if (!config_.proxy_protocol) return after_proxy_header_;
  return [this](int fd, const std::string& address) {
    return std::make_unique<ProxyTransport>(fd, address, config_.trusted_proxies,
                                            after_proxy_header_);
  };
}

std::unique_ptr<Transport> ListenerTransports::after_proxy_header(int fd,
                                                                  const std::string& address) {
  if (!is_websocket(config_.type)) return std::make_unique<TlsTransport>(tls(), fd, address);
  std::unique_ptr<ByteStream> stream;
  if (is_tls(config_.type)) {
    stream = std::make_unique<TlsStream>(tls(), fd);
  } else {
    stream = std::make_unique<PlainStream>(fd);
  }
  return std::make_unique<WebSocketTransport>(std::move(stream), websocket_, address);
}

std::shared_ptr<const TlsContext> ListenerTransports::tls() const {
  const std::lock_guard lock(mutex_);
  return tls_;
}

}  // namespace shoal
