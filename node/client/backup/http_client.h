// HTTP requests to one server, waited for, over one connection as long as it lasts; TLS verified.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace shoal::backup {

// Of a target: all but letters, digits, -._~ and what is to stay `as_is` as %XX (RFC 3986, 2.1).
std::string percent_encoded(std::string_view text, std::string_view as_is = {});

struct HttpEndpoint {
  std::string host;
  uint16_t port = 0;
  bool is_tls = false;
  // As a Host header has it: without the port that the scheme has anyway.
  std::string host_header() const;
};

// "https://HOST[:PORT]" or "http://HOST[:PORT]".
absl::StatusOr<HttpEndpoint> http_endpoint_of(const std::string& url);

struct HttpRequest {
  std::string method;  // GET, PUT or DELETE
  std::string target;
  std::map<std::string, std::string> headers;
  std::string body;
};

struct HttpReply {
  int status = 0;
  std::string body;
};

class HttpClient {
 public:
  // `ca_file` empty: the system's authorities.
  HttpClient(HttpEndpoint endpoint, std::string ca_file);
  ~HttpClient();

  const HttpEndpoint& endpoint() const { return endpoint_; }
  // An error: no reply came.
  absl::StatusOr<HttpReply> exchange(const HttpRequest& request);

 private:
  struct Connection;
  absl::Status connect();

  const HttpEndpoint endpoint_;
  const std::string ca_file_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace shoal::backup
