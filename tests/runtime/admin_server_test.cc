#include "node/runtime/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "tests/runtime/test_node.h"

namespace shoal {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A server on a thread of its own that says what it was asked.
class RunningServer {
 public:
  RunningServer() {
    EXPECT_EQ(server_.listen(HostPort{"127.0.0.1", 0}), std::nullopt);
    EXPECT_EQ(server_.listen(socket_path()), std::nullopt);
    server_.set_token("secret");
    thread_ = std::thread([this] { io_.run(); });
  }
  ~RunningServer() {
    io_.stop();
    thread_.join();
    ::unlink(socket_path().c_str());
  }
  uint16_t port() const { return server_.port(); }
  static std::string socket_path() {
    return testing::TempDir() + "/shoal-admin-" + std::to_string(::getpid());
  }

 private:
  static void answer(const AdminRequest& request, AdminAnswer answer) {
    AdminResponse response;
    response.body = request.method + " " + request.path + (request.is_trusted ? " trusted" : "");
    for (const auto& [key, value] : request.query) response.body += " " + key + "=" + value;
    response.body += " " + request.body + "\n";
    // From another thread, as the hub's answers come.
    std::thread([answer = std::move(answer), response] { answer(response); }).detach();
  }

  boost::asio::io_context io_{1};
  AdminServer server_{io_, answer};
  std::thread thread_;
};

std::string ask(TestClient& client, const std::string& request) {
  client.send(request + "\r\nHost: x\r\n\r\n");
  std::string response;
  while (!response.ends_with("\n") || response.find("\r\n\r\n") == std::string::npos ||
         response.ends_with("\r\n\r\n")) {
    const std::string byte = client.receive(1);
    if (byte.empty()) break;
    response += byte;
  }
  return response;
}

TEST(AdminServer, RequestsAndAnswersOnOneConnection) {
  RunningServer server;
  TestClient client(server.port());
  EXPECT_THAT(ask(client, "GET /v1/x?a=1&b=c%20d HTTP/1.1"), EndsWith("GET /v1/x a=1 b=c d \n"));
  EXPECT_THAT(ask(client, "POST /y HTTP/1.1"), EndsWith("POST /y \n"));
  EXPECT_THAT(ask(client, "GET nonsense HTTP/1.1"), StartsWith("HTTP/1.1 400 "));
}

TEST(AdminServer, TheTokenIsTrustedAndNothingLikeIt) {
  RunningServer server;
  for (const auto& [header, is_trusted] : {std::pair{"Bearer secret", true},
                                           {"Bearer secreT", false},
                                           {"Bearer secret2", false},
                                           {"Bearer ", false},
                                           {"Basic secret", false},
                                           {"secret", false}}) {
    TestClient client(server.port());
    const std::string request = std::string("GET / HTTP/1.1\r\nAuthorization: ") + header;
    EXPECT_EQ(ask(client, request).find(" trusted") != std::string::npos, is_trusted) << header;
  }
}

TEST(AdminServer, TheUnixSocketIsTrustedAndItsOwnersAlone) {
  RunningServer server;
  struct stat status {};
  ASSERT_EQ(::stat(RunningServer::socket_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, RunningServer::socket_path().c_str());
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  TestClient client(std::move(fd));
  EXPECT_THAT(ask(client, "GET / HTTP/1.1"), HasSubstr("GET / trusted"));
}

TEST(AdminServer, WhatIsNoRequestOrTooLargeIsClosed) {
  RunningServer server;
  for (const std::string& bytes :
       {std::string("\x10\x0c\x00\x04MQTT\r\n\r\n"),
        "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'),
        std::string("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")}) {
    TestClient client(server.port());
    client.send(bytes);
    EXPECT_TRUE(client.is_closed());
  }
}

TEST(AdminServer, AnAddressInUseIsNamed) {
  RunningServer running;
  boost::asio::io_context io;
  AdminServer server(io, [](const AdminRequest&, AdminAnswer) {});
  const HostPort address{"127.0.0.1", running.port()};
  EXPECT_EQ(server.listen(address), "admin address " + address.text() + ": Address already in use");
}

}  // namespace
}  // namespace shoal
