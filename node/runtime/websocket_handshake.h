// The HTTP request that turns a connection into a WebSocket (RFC 6455, section 4), judged. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node/config/address.h"

namespace shoal {

struct WebSocketRules {
  std::vector<std::string> allowed_origins;   // "*" any; empty: only pages of the same host
  std::string path;                           // empty: any
  std::vector<AddressRange> trusted_proxies;  // whose X-Forwarded-For is believed
};

struct WebSocketAccepted {
  std::string response;
  std::string address;  // the client's, by X-Forwarded-For where that is believed
  size_t request_size = 0;
};
struct WebSocketUnfinished {};
struct WebSocketRefused {
  std::string response;
  std::string why;
};
using WebSocketAnswer = std::variant<WebSocketAccepted, WebSocketUnfinished, WebSocketRefused>;

constexpr size_t kWebSocketRequestMax = 8 * 1024;

// `received` from the connection's start, `address` is the socket's.
WebSocketAnswer answer_websocket_request(std::string_view received, const WebSocketRules& rules,
                                         const std::string& address);

}  // namespace shoal
