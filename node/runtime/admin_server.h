// HTTP for people and machines that look after a node. Knows requests and answers, nothing of what is
// asked: that is the handler's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/config/address.h"

namespace shoal {

struct AdminRequest {
  std::string method;
  std::string path;  // without the query
  std::map<std::string, std::string> query;
  std::string body;
  // Came by the Unix socket, or with the token: may do and see everything.
  bool is_trusted = false;
};

struct AdminResponse {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

// Called on the io_context's thread; `answer` may be called once, on any thread.
using AdminAnswer = std::function<void(AdminResponse)>;
using AdminHandler = std::function<void(AdminRequest, AdminAnswer)>;

class AdminServer {
 public:
  // `io` is run by one thread.
  AdminServer(boost::asio::io_context& io, AdminHandler handler);
  ~AdminServer();

  // What is wrong, if something is; the text names the address.
  std::optional<std::string> listen(const HostPort& address);
  std::optional<std::string> listen(const std::string& unix_path);
  // The port that was bound.
  uint16_t port() const;
  // Without one only the Unix socket is trusted.
  void set_token(std::string token);

  struct Impl;  // Beast's part

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace shoal
