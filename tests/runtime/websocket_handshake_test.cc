#include "node/runtime/websocket_handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The headers of a good request, each to be replaced by `changes` of the same name, or dropped when the
// change has no value.
std::string request(const std::vector<std::pair<std::string, std::string>>& changes = {},
                    const std::string& first_line = "GET /mqtt?x=1 HTTP/1.1") {
  std::vector<std::pair<std::string, std::string>> headers = {
      {"Host", "broker.example:8083"},       {"Upgrade", "websocket"},
      {"Connection", "keep-alive, Upgrade"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
      {"Sec-WebSocket-Version", "13"},       {"Sec-WebSocket-Protocol", "mqtt"},
  };
  for (const auto& change : changes) {
    const auto same = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
      return header.first == change.first;
    });
    same == headers.end() ? headers.push_back(change) : void(same->second = change.second);
  }
  std::string text = first_line + "\r\n";
  for (const auto& [name, value] : headers) {
    if (!value.empty()) text += name + ": " + value + "\r\n";
  }
  return text + "\r\n";
}

std::string shown(const WebSocketAnswer& answer) {
  if (std::holds_alternative<WebSocketUnfinished>(answer)) return "unfinished";
  if (const auto* refused = std::get_if<WebSocketRefused>(&answer)) {
    return refused->response.substr(9, 3) + " " + refused->why;
  }
  return "accepted";
}

TEST(WebSocketHandshake, ASampleRequestIsAcceptedAsTheStandardShows) {
  const std::string text = request();
  const auto answer = answer_websocket_request(text + "early", {}, "192.0.2.7");
  ASSERT_EQ(shown(answer), "accepted");
  const auto& accepted = std::get<WebSocketAccepted>(answer);
  EXPECT_EQ(accepted.request_size, text.size());
  EXPECT_EQ(accepted.address, "192.0.2.7");
  EXPECT_THAT(accepted.response, StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(accepted.response,
              HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  EXPECT_THAT(accepted.response,
              HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));  // [MQTT5-6.0.0-4] [MQTT311-6.0.0-4]
}

TEST(WebSocketHandshake, Requests) {
  const struct {
    const char* what;
    std::string request;
    const char* expected;
  } cases[] = {
      {"empty", "", "unfinished"},
      {"cut", request().substr(0, 60), "unfinished"},
      {"not HTTP", "\x10\x0c\x00\x04MQTT\r\n\r\n", "400 WebSocket: bad method"},
      {"never ending", "GET / HTTP/1.1\r\nX: " + std::string(9'000, 'x'),
       "400 WebSocket: header limit exceeded"},
      {"POST", request({}, "POST /mqtt HTTP/1.1"), "426 WebSocket: expected a WebSocket request"},
      {"HTTP/1.0", request({}, "GET /mqtt HTTP/1.0"),
       "426 WebSocket: expected a WebSocket request"},
      {"no upgrade", request({{"Upgrade", ""}}), "426 WebSocket: expected a WebSocket request"},
      {"another upgrade", request({{"Upgrade", "h2c"}}),
       "426 WebSocket: expected a WebSocket request"},
      {"case does not matter", request({{"Upgrade", "WebSocket"}, {"Connection", "upgrade"}}),
       "accepted"},
      {"an old version", request({{"Sec-WebSocket-Version", "8"}}),
       "426 WebSocket: expected Sec-WebSocket-Version 13"},
      {"no key", request({{"Sec-WebSocket-Key", ""}}),
       "400 WebSocket: Sec-WebSocket-Key is not one"},
      {"a short key", request({{"Sec-WebSocket-Key", "c2hvcnQ="}}),
       "400 WebSocket: Sec-WebSocket-Key is not one"},
      {"no subprotocol", request({{"Sec-WebSocket-Protocol", ""}}),
       "400 WebSocket: expected the subprotocol mqtt"},
      {"another subprotocol", request({{"Sec-WebSocket-Protocol", "amqp, wamp"}}),
       "400 WebSocket: expected the subprotocol mqtt"},
      {"its case counts", request({{"Sec-WebSocket-Protocol", "MQTT"}}),
       "400 WebSocket: expected the subprotocol mqtt"},
      {"ours among others", request({{"Sec-WebSocket-Protocol", "amqp, mqtt"}}), "accepted"},
      {"that of 3.1", request({{"Sec-WebSocket-Protocol", "mqttv3.1"}}), "accepted"},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(shown(answer_websocket_request(row.request, {}, "192.0.2.7")), row.expected)
        << row.what;
  }
}

TEST(WebSocketHandshake, Origins) {
  const struct {
    std::vector<std::string> allowed;
    std::string origin;
    bool is_accepted;
  } cases[] = {
      {{}, "", true},
      {{}, "http://broker.example:8083", true},
      {{}, "https://broker.example:8083", true},
      {{}, "http://evil.example", false},
      {{}, "null", false},
      {{"https://app.example"}, "https://app.example", true},
      {{"https://app.example"}, "http://app.example", false},
      {{"https://app.example"}, "http://broker.example:8083", false},
      {{"https://a.example", "*"}, "http://evil.example", true},
  };
  for (const auto& row : cases) {
    const auto answer = answer_websocket_request(request({{"Origin", row.origin}}),
                                                 {.allowed_origins = row.allowed}, "192.0.2.7");
    EXPECT_EQ(shown(answer),
              row.is_accepted ? "accepted" : "403 WebSocket: this Origin is not allowed")
        << row.origin;
  }
}

TEST(WebSocketHandshake, Paths) {
  for (const auto& [path, expected] : {std::pair{"", "accepted"},
                                       {"/mqtt", "accepted"},
                                       {"/mqt", "404 WebSocket: no WebSocket at this path"},
                                       {"/mqtt/", "404 WebSocket: no WebSocket at this path"}}) {
    EXPECT_EQ(shown(answer_websocket_request(request(), {.path = path}, "192.0.2.7")), expected)
        << path;
  }
}

TEST(WebSocketHandshake, XForwardedForIsBelievedFromTrustedProxiesOnly) {
  const std::vector<AddressRange> proxies = {*AddressRange::parse("10.0.0.0/8")};
  const struct {
    const char* socket;
    const char* header;
    const char* client;
  } cases[] = {
      {"10.0.0.1", "192.0.2.7", "192.0.2.7"},
      {"10.0.0.1", "198.51.100.1, 192.0.2.7", "192.0.2.7"},  // the client's own claim comes first
      {"10.0.0.1", "192.0.2.7, 10.0.0.2", "192.0.2.7"},      // two proxies of ours
      {"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"},
      // A proxy that adds a line of its own below what the client claims.
      {"10.0.0.1", "198.51.100.1\r\nX-Forwarded-For: 192.0.2.7", "192.0.2.7"},
      {"10.0.0.1", "192.0.2.7\r\nx-forwarded-for: 10.0.0.2", "192.0.2.7"},
      {"10.0.0.1", "nonsense", "10.0.0.1"},
      {"10.0.0.1", "192.0.2.7, nonsense, 10.0.0.2", "10.0.0.2"},
      {"10.0.0.1", "", "10.0.0.1"},
      {"192.0.2.99", "192.0.2.7", "192.0.2.99"},
  };
  for (const auto& row : cases) {
    const auto answer = answer_websocket_request(request({{"X-Forwarded-For", row.header}}),
                                                 {.trusted_proxies = proxies}, row.socket);
    ASSERT_EQ(shown(answer), "accepted");
    EXPECT_EQ(std::get<WebSocketAccepted>(answer).address, row.client)
        << row.socket << " " << row.header;
  }
}

}  // namespace
}  // namespace shoal
