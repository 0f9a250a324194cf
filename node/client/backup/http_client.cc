#include "node/client/backup/http_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <utility>

#include "node/config/address.h"

namespace shoal::backup {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::chrono::seconds kConnectPatience(10);
constexpr std::chrono::seconds kExchangePatience(40);
constexpr uint64_t kReplyBytesMax = uint64_t{1} << 30;
constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

http::verb verb_of(const std::string& method) {
  if (method == "PUT") return http::verb::put;
  if (method == "DELETE") return http::verb::delete_;
  return http::verb::get;
}

}  // namespace

std::string percent_encoded(std::string_view text, std::string_view as_is) {
  static constexpr char kHexDigits[] = "0123456789ABCDEF";
  static constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos || as_is.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
  }
  return out;
}

std::string HttpEndpoint::host_header() const {
  const uint16_t usual = is_tls ? kHttpsPort : kHttpPort;
  if (port == usual) return host.find(':') == std::string::npos ? host : "[" + host + "]";
  return HostPort{host, port}.text();
}

absl::StatusOr<HttpEndpoint> http_endpoint_of(const std::string& url) {
  HttpEndpoint endpoint;
  std::string_view rest = url;
  endpoint.is_tls = rest.starts_with("https://");
  if (!endpoint.is_tls && !rest.starts_with("http://")) {
    return absl::InvalidArgumentError("expected https://HOST[:PORT], got \"" + url + "\"");
  }
  rest.remove_prefix(rest.find("//") + 2);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string_view::npos && rest.find(']', colon) == rest.npos;
  const std::string usual = std::to_string(endpoint.is_tls ? kHttpsPort : kHttpPort);
  const auto address = host_port_of(has_port ? std::string(rest) : std::string(rest) + ":" + usual);
  if (!address || address->port == 0 || rest.find('/') != rest.npos) {
    return absl::InvalidArgumentError("expected https://HOST[:PORT], got \"" + url + "\"");
  }
  endpoint.host = address->host;
  endpoint.port = address->port;
  return endpoint;
}

struct HttpClient::Connection {
  asio::io_context io;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::unique_ptr<beast::tcp_stream> plain;
  std::unique_ptr<beast::ssl_stream<beast::tcp_stream>> secure;
  beast::flat_buffer buffer;
  bool is_used = false;

  beast::tcp_stream& lowest() { return secure ? secure->next_layer() : *plain; }
  // Runs one asynchronous step with a deadline that a blocking call would not have.
  template <class Start>
  beast::error_code run(std::chrono::seconds patience, Start start) {
    beast::error_code result = asio::error::timed_out;
    lowest().expires_after(patience);
    start([&result](beast::error_code error, auto&&...) { result = error; });
    io.restart();
    io.run();
    return result;
  }
  template <class Stream>
  beast::error_code talk(Stream& stream, const http::request<http::string_body>& request,
                         http::response_parser<http::string_body>& parser) {
    const auto written = run(
        kExchangePatience, [&](auto done) { http::async_write(stream, request, std::move(done)); });
    if (written) return written;
    return run(kExchangePatience,
               [&](auto done) { http::async_read(stream, buffer, parser, std::move(done)); });
  }
};

HttpClient::HttpClient(HttpEndpoint endpoint, std::string ca_file)
    : endpoint_(std::move(endpoint)), ca_file_(std::move(ca_file)) {}

HttpClient::~HttpClient() = default;

absl::Status HttpClient::connect() {
  const std::string where = endpoint_.host + ":" + std::to_string(endpoint_.port);
  const auto failed = [&where](const std::string& what, const beast::error_code& error) {
    return absl::UnavailableError(where + ": " + what + ": " + error.message());
  };
  auto made = std::make_unique<Connection>();
  beast::error_code error;
  if (endpoint_.is_tls) {
    made->tls.set_verify_mode(asio::ssl::verify_peer);
    if (ca_file_.empty()) {
      made->tls.set_default_verify_paths(error);
    } else {
      made->tls.load_verify_file(ca_file_, error);
    }
    if (error) return failed("the authorities of " + ca_file_ + " cannot be read", error);
    made->secure = std::make_unique<beast::ssl_stream<beast::tcp_stream>>(made->io, made->tls);
    made->secure->set_verify_callback(asio::ssl::host_name_verification(endpoint_.host));
    SSL_set_tlsext_host_name(made->secure->native_handle(), endpoint_.host.c_str());
  } else {
    made->plain = std::make_unique<beast::tcp_stream>(made->io);
  }
  asio::ip::tcp::resolver resolver(made->io);
  const auto found = resolver.resolve(endpoint_.host, std::to_string(endpoint_.port), error);
  if (error) return failed("cannot be resolved", error);
  error = made->run(kConnectPatience,
                    [&](auto done) { made->lowest().async_connect(found, std::move(done)); });
  if (error) return failed("cannot connect", error);
  if (made->secure) {
    error = made->run(kConnectPatience, [&](auto done) {
      made->secure->async_handshake(asio::ssl::stream_base::client, std::move(done));
    });
    if (error) return failed("TLS", error);
  }
  connection_ = std::move(made);
  return absl::OkStatus();
}

absl::StatusOr<HttpReply> HttpClient::exchange(const HttpRequest& from) {
  http::request<http::string_body> request{verb_of(from.method), from.target, 11, from.body};
  for (const auto& [name, value] : from.headers) request.set(name, value);
  request.set(http::field::host, endpoint_.host_header());
  request.prepare_payload();
  // A connection that was used before may have been closed meanwhile: that is no failure yet.
  for (int attempt = 0;; ++attempt) {
    if (!connection_) {
      if (absl::Status connected = connect(); !connected.ok()) return connected;
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(kReplyBytesMax);
    const bool was_used = std::exchange(connection_->is_used, true);
    const beast::error_code error = connection_->secure
                                        ? connection_->talk(*connection_->secure, request, parser)
                                        : connection_->talk(*connection_->plain, request, parser);
    if (!error) {
      HttpReply reply{static_cast<int>(parser.get().result_int()), parser.get().body()};
      if (!parser.get().keep_alive()) connection_.reset();
      return reply;
    }
    connection_.reset();
    if (!was_used || attempt > 0 || error == beast::error::timeout) {
      return absl::UnavailableError(endpoint_.host + ": " + error.message());
    }
  }
}

}  // namespace shoal::backup
