#include "node/client/ctl/admin_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <fstream>

#include "node/config/address.h"

namespace shoal::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

// A leave waits for the others to know it; nothing takes longer.
constexpr std::chrono::seconds kPatience(60);
constexpr std::string_view kHttp = "http://";

http::request<http::empty_body> request_of(const std::string& method, const std::string& target,
                                           const std::string& host, const std::string& token) {
  http::request<http::empty_body> request{method == "POST" ? http::verb::post : http::verb::get,
                                          target, 11};
  request.set(http::field::host, host);
  request.set(http::field::connection, "close");
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.prepare_payload();
  return request;
}

// Sends and reads over a connected stream, with a deadline that a blocking call would not have.
template <class Protocol>
AdminReply exchange(asio::io_context& io, beast::basic_stream<Protocol>& stream,
                    const http::request<http::empty_body>& request) {
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(256 * 1024 * 1024);
  AdminReply reply;
  stream.expires_after(kPatience);
  http::async_write(stream, request, [&](beast::error_code failed, size_t) {
    if (failed) {
      reply.body = failed.message();
      return;
    }
    http::async_read(stream, buffer, parser, [&](beast::error_code error, size_t) {
      if (error) {
        reply.body = error.message();
        return;
      }
      reply = {static_cast<int>(parser.get().result_int()), parser.get().body()};
    });
  });
  io.run();
  return reply;
}

AdminReply ask_socket(const std::string& path, const std::string& method,
                      const std::string& target) {
  asio::io_context io;
  beast::basic_stream<asio::local::stream_protocol> stream(io);
  beast::error_code error;
  stream.socket().connect(asio::local::stream_protocol::endpoint(path), error);
  if (error) return {0, "no node answers at " + path + ": " + error.message()};
  return exchange(io, stream, request_of(method, target, "localhost", ""));
}

AdminReply ask_tcp(const HostPort& address, const std::string& token, const std::string& method,
                   const std::string& target) {
  asio::io_context io;
  beast::error_code error;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
  beast::basic_stream<asio::ip::tcp> stream(io);
  if (!error) asio::connect(stream.socket(), found, error);
  if (error) return {0, "no node answers at " + address.text() + ": " + error.message()};
  return exchange(io, stream, request_of(method, target, address.text(), token));
}

}  // namespace

AdminReply AdminClient::ask(const std::string& method, const std::string& target) const {
  if (options_.admin.empty()) return ask_socket(options_.data_dir + "/ctl.sock", method, target);
  std::string_view text = options_.admin;
  if (text.starts_with(kHttp)) text.remove_prefix(kHttp.size());
  while (text.ends_with('/')) text.remove_suffix(1);
  const auto address = host_port_of(text);
  if (!address) return {0, "--admin: expected http://HOST:PORT, got \"" + options_.admin + "\""};
  std::string token;
  if (!options_.token_file.empty()) {
    std::ifstream file(options_.token_file);
    if (!(file >> token)) return {0, "--token-file: cannot read " + options_.token_file};
  }
  return ask_tcp(*address, token, method, target);
}

}  // namespace shoal::ctl
