// A WebSocket request of any bytes: never a crash, the same answer however much follows it, and nobody
// gets in whom the rules keep out. The first line is the listener's allowed origin and path.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "node/runtime/websocket_handshake.h"

namespace {

using namespace shoal;

constexpr char kPeer[] = "10.0.0.1";

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check_accepted(const WebSocketAccepted& accepted, std::string_view request,
                    const WebSocketRules& rules) {
  require(accepted.request_size > 0 && accepted.request_size <= request.size(),
          "a request longer than what came");
  require(request.substr(0, accepted.request_size).find("mqtt") != request.npos,
          "accepted without the subprotocol");
  require(accepted.response.starts_with("HTTP/1.1 101 ") && accepted.response.ends_with("\r\n\r\n"),
          "accepted by another response");
  require(!rules.trusted_proxies.empty() || accepted.address == kPeer,
          "an address that a stranger made up");
  const auto alone =
      answer_websocket_request(request.substr(0, accepted.request_size), rules, kPeer);
  const auto* const again = std::get_if<WebSocketAccepted>(&alone);
  require(again != nullptr && again->response == accepted.response &&
              again->address == accepted.address && again->request_size == accepted.request_size,
          "what follows a request changes its answer");
  const std::string_view part = request.substr(0, accepted.request_size - 1);
  require(std::holds_alternative<WebSocketUnfinished>(answer_websocket_request(part, rules, kPeer)),
          "a part of a request is judged");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));

  WebSocketRules rules;
  const size_t blank = std::min(line.find(' '), line.size());
  if (blank > 0) rules.allowed_origins.emplace_back(line.substr(0, blank));
  rules.path = line.substr(std::min(blank + 1, line.size()));
  if (line.ends_with("proxy")) rules.trusted_proxies.push_back(*AddressRange::parse("10.0.0.0/8"));

  const WebSocketAnswer answer = answer_websocket_request(text, rules, kPeer);
  if (const auto* accepted = std::get_if<WebSocketAccepted>(&answer)) {
    check_accepted(*accepted, text, rules);
  } else if (const auto* refused = std::get_if<WebSocketRefused>(&answer)) {
    require(refused->response.starts_with("HTTP/1.1 4") && !refused->why.empty(),
            "refused without a word");
  } else {
    require(text.size() < kWebSocketRequestMax, "waits for more than a request may have");
  }
  return 0;
}
