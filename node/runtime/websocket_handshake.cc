#include "node/runtime/websocket_handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>

namespace shoal {
namespace {

namespace http = boost::beast::http;
using Request = http::request<http::empty_body>;

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kKeyBytes = 16;
// "mqttv3.1" is what clients of 3.1 asked for.
constexpr std::array<std::string_view, 2> kSubprotocols = {"mqtt", "mqttv3.1"};

std::string_view std_view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// What the client's key shows of us (RFC 6455, 4.2.2): base64(SHA-1(key GUID)).
std::string accept_value(std::string_view key) {
  const std::string text = std::string(key).append(kGuid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> base64{};
  const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(base64.data()), static_cast<size_t>(length)};
}

bool is_key(std::string_view key) {
  std::array<unsigned char, kKeyBytes + 2> bytes{};
  return key.size() == 24 && key.ends_with("==") &&
         EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(key.data()),
                         static_cast<int>(key.size())) == static_cast<int>(bytes.size());
}

// Which of the client's subprotocols is spoken; empty: none. Their case counts, other than that of most
// words of HTTP: the client compares the answer with what it asked for (RFC 6455, 4.1).
std::string_view subprotocol_of(const Request& request) {
  const http::token_list offered{request[http::field::sec_websocket_protocol]};
  for (const std::string_view ours : kSubprotocols) {
    const auto is_ours = [ours](const auto& token) { return std_view(token) == ours; };
    if (std::any_of(offered.begin(), offered.end(), is_ours)) return ours;
  }
  return {};
}

// A browser says where the page comes from; other clients say nothing.
bool is_origin_allowed(const Request& request, const WebSocketRules& rules) {
  const std::string_view origin = std_view(request[http::field::origin]);
  if (origin.empty()) return true;
  if (rules.allowed_origins.empty()) {
    const size_t scheme = origin.find("://");
    const std::string_view host = std_view(request[http::field::host]);
    return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
  }
  return std::any_of(
      rules.allowed_origins.begin(), rules.allowed_origins.end(),
      [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

bool is_trusted(const WebSocketRules& rules, std::string_view address) {
  return std::any_of(rules.trusted_proxies.begin(), rules.trusted_proxies.end(),
                     [&](const AddressRange& range) { return range.contains(address); });
}

// The header may stand on several lines, as HAProxy adds its own below the client's: they are one list
// (RFC 9110, 5.3).
std::string forwarded_for(const Request& request) {
  std::string all;
  const auto [begin, end] = request.equal_range("X-Forwarded-For");
  for (auto line = begin; line != end; ++line) {
    if (!all.empty()) all += ',';
    all += std_view(line->value());
  }
  return all;
}

// Each proxy appends whom it has the request from: the last that is no proxy of ours is the client.
std::string client_address(const Request& request, const WebSocketRules& rules,
                           const std::string& address) {
  std::string client = address;
  const std::string all = forwarded_for(request);
  std::string_view rest = all;
  while (is_trusted(rules, client) && !rest.empty()) {
    const size_t comma = rest.rfind(',');
    const size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    std::string_view last = rest.substr(begin);
    while (last.starts_with(' ')) last.remove_prefix(1);
    while (last.ends_with(' ')) last.remove_suffix(1);
    if (!ip_bytes_of(last)) break;
    client = last;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
  }
  return client;
}

WebSocketRefused refuse(std::string_view status, std::string why, std::string_view header = {}) {
  WebSocketRefused refused;
  refused.response = "HTTP/1.1 " + std::string(status) + "\r\nConnection: close\r\n";
  refused.response.append(header);
  refused.response +=
      "Content-Type: text/plain\r\nContent-Length: " + std::to_string(why.size() + 1) + "\r\n\r\n" +
      why + "\n";
  refused.why = "WebSocket: " + std::move(why);
  return refused;
}

// What is wrong with the request, or nothing.
std::optional<WebSocketRefused> fault_of(const Request& request, const WebSocketRules& rules) {
  const bool is_upgrade = request.method() == http::verb::get && request.version() == 11 &&
                          http::token_list{request[http::field::connection]}.exists("upgrade") &&
                          http::token_list{request[http::field::upgrade]}.exists("websocket");
  if (!is_upgrade)
    return refuse("426 Upgrade Required", "expected a WebSocket request", "Upgrade: websocket\r\n");
  if (request[http::field::sec_websocket_version] != "13") {
    return refuse("426 Upgrade Required", "expected Sec-WebSocket-Version 13",
                  "Sec-WebSocket-Version: 13\r\n");
  }
  if (!is_key(std_view(request[http::field::sec_websocket_key]))) {
    return refuse("400 Bad Request", "Sec-WebSocket-Key is not one");
  }
  const std::string_view target = std_view(request.target());
  if (!rules.path.empty() && target.substr(0, target.find('?')) != rules.path) {
    return refuse("404 Not Found", "no WebSocket at this path");
  }
  if (!is_origin_allowed(request, rules)) {
    return refuse("403 Forbidden", "this Origin is not allowed");
  }
  if (subprotocol_of(request).empty()) {
    return refuse("400 Bad Request", "expected the subprotocol mqtt");
  }
  return std::nullopt;
}

}  // namespace

WebSocketAnswer answer_websocket_request(std::string_view received, const WebSocketRules& rules,
                                         const std::string& address) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kWebSocketRequestMax);
  boost::system::error_code error;
  const size_t size = parser.put(boost::asio::buffer(received.data(), received.size()), error);
  if (error == http::error::need_more || (!error && !parser.is_header_done())) {
    if (received.size() < kWebSocketRequestMax) return WebSocketUnfinished{};
    return refuse("431 Request Header Fields Too Large", "too long a request");
  }
  if (error) return refuse("400 Bad Request", error.message());
  const Request& request = parser.get();
  if (auto fault = fault_of(request, rules)) return *std::move(fault);

  WebSocketAccepted accepted;
  accepted.request_size = size;
  accepted.address = client_address(request, rules, address);
  // [MQTT5-6.0.0-4] [MQTT311-6.0.0-4]
  accepted.response =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept_value(std_view(request[http::field::sec_websocket_key])) +
      "\r\nSec-WebSocket-Protocol: " + std::string(subprotocol_of(request)) + "\r\n\r\n";
  return accepted;
}

}  // namespace shoal
