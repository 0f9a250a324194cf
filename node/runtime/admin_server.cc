#include "node/runtime/admin_server.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <chrono>
#include <utility>

namespace shoal {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(200);
constexpr uint64_t kBodyBytesMax = 64 * 1024;
constexpr uint32_t kHeaderBytesMax = 16 * 1024;
constexpr int kConnectionsMax = 64;

std::string failure(const std::string& address, const error_code& error) {
  return "admin address " + address + ": " + error.message();
}

}  // namespace

struct AdminServer::Impl : std::enable_shared_from_this<AdminServer::Impl> {
  Impl(asio::io_context& context, AdminHandler what) : io(context), handler(std::move(what)) {}

  template <class Acceptor>
  void accept(Acceptor& acceptor, bool is_trusted);
  // For want of descriptors, most likely: to try at once would be to try without end.
  template <class Acceptor>
  void accept_later(Acceptor& acceptor, bool is_trusted);
  bool has_token(std::string_view authorization) const;

  asio::io_context& io;
  const AdminHandler handler;
  asio::ip::tcp::acceptor tcp{io};
  asio::local::stream_protocol::acceptor local{io};
  asio::steady_timer pause{io};
  std::string token;
  int connections = 0;
};

namespace {

using Impl = AdminServer::Impl;

// One connection: reads a request, waits for its answer, and so on.
class AdminSession : public std::enable_shared_from_this<AdminSession> {
 public:
  AdminSession(std::shared_ptr<Impl> server, Protocol::socket socket, bool is_trusted)
      : server_(std::move(server)), stream_(std::move(socket)), is_trusted_(is_trusted) {
    ++server_->connections;
  }
  ~AdminSession() { --server_->connections; }

  void read() {
    parser_.emplace();
    parser_->body_limit(kBodyBytesMax);
    parser_->header_limit(kHeaderBytesMax);
    stream_.expires_after(kPatience);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& error, size_t) {
                       if (!error) self->handle();
                     });
  }

 private:
  using Response = http::response<http::string_body>;

  void handle() {
    const auto& request = parser_->get();
    const auto url = boost::urls::parse_origin_form(request.target());
    if (!url) return write({400, "not a path\n"});
    AdminRequest asked;
    asked.method = std::string(request.method_string());
    asked.path = url->path();
    for (const auto& param : url->params()) asked.query[param.key] = param.value;
    asked.body = request.body();
    const auto authorization = request[http::field::authorization];
    asked.is_trusted =
        is_trusted_ || server_->has_token({authorization.data(), authorization.size()});
    stream_.expires_never();  // the answer may take its time
    server_->handler(std::move(asked), [self = shared_from_this()](AdminResponse answer) {
      asio::post(self->server_->io,
                 [self, answer = std::move(answer)]() mutable { self->write(std::move(answer)); });
    });
  }

  void write(AdminResponse answer) {
    const auto& request = parser_->get();
    response_.emplace(static_cast<http::status>(answer.status), request.version());
    response_->set(http::field::content_type, answer.content_type);
    response_->keep_alive(request.keep_alive());
    response_->body() = request.method() == http::verb::head ? "" : std::move(answer.body);
    response_->prepare_payload();
    stream_.expires_after(kPatience);
    http::async_write(stream_, *response_,
                      [self = shared_from_this()](const error_code& error, size_t) {
                        if (!error && self->response_->keep_alive()) self->read();
                      });
  }

  const std::shared_ptr<Impl> server_;
  beast::basic_stream<Protocol> stream_;
  const bool is_trusted_;
  beast::flat_buffer buffer_{kHeaderBytesMax + kBodyBytesMax};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<Response> response_;
};

}  // namespace

template <class Acceptor>
void AdminServer::Impl::accept(Acceptor& acceptor, bool is_trusted) {
  acceptor.async_accept([self = shared_from_this(), &acceptor, is_trusted](
                            const error_code& error,
                            typename Acceptor::protocol_type::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) return self->accept_later(acceptor, is_trusted);
    if (self->connections < kConnectionsMax) {
      std::make_shared<AdminSession>(self, Protocol::socket(std::move(socket)), is_trusted)->read();
    }
    self->accept(acceptor, is_trusted);
  });
}

template <class Acceptor>
void AdminServer::Impl::accept_later(Acceptor& acceptor, bool is_trusted) {
  pause.expires_after(kPause);
  pause.async_wait([self = shared_from_this(), &acceptor, is_trusted](const error_code& error) {
    if (!error) self->accept(acceptor, is_trusted);
  });
}

bool AdminServer::Impl::has_token(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (token.empty() || !authorization.starts_with(kScheme)) return false;
  authorization.remove_prefix(kScheme.size());
  return authorization.size() == token.size() &&
         CRYPTO_memcmp(authorization.data(), token.data(), token.size()) == 0;
}

AdminServer::AdminServer(asio::io_context& io, AdminHandler handler)
    : impl_(std::make_shared<Impl>(io, std::move(handler))) {}

AdminServer::~AdminServer() {
  error_code ignored;
  impl_->tcp.close(ignored);
  impl_->local.close(ignored);
  impl_->pause.cancel();
}

std::optional<std::string> AdminServer::listen(const HostPort& address) {
  error_code error;
  asio::ip::tcp::resolver resolver(impl_->io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                      asio::ip::tcp::resolver::passive, error);
  if (error) return failure(address.text(), error);
  const asio::ip::tcp::endpoint endpoint = *found.begin();
  impl_->tcp.open(endpoint.protocol(), error);
  if (!error) impl_->tcp.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) impl_->tcp.bind(endpoint, error);
  if (!error) impl_->tcp.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failure(address.text(), error);
  impl_->accept(impl_->tcp, false);
  return std::nullopt;
}

std::optional<std::string> AdminServer::listen(const std::string& unix_path) {
  // The caller holds the lock of the directory: a socket that is there is left over.
  ::unlink(unix_path.c_str());
  error_code error;
  if (unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
    return failure(unix_path, make_error_code(boost::system::errc::filename_too_long));
  }
  impl_->local.open(asio::local::stream_protocol(), error);
  if (!error) impl_->local.bind(unix_path, error);
  // Who can open it may do everything.
  if (!error && ::chmod(unix_path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    error.assign(errno, boost::system::system_category());
  }
  if (!error) impl_->local.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failure(unix_path, error);
  impl_->accept(impl_->local, true);
  return std::nullopt;
}

uint16_t AdminServer::port() const { return impl_->tcp.local_endpoint().port(); }

void AdminServer::set_token(std::string token) { impl_->token = std::move(token); }

}  // namespace shoal
