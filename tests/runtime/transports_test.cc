// Clients by way of PROXY headers, TLS and WebSocket, against real workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "node/runtime/listener_transports.h"
#include "node/runtime/websocket_frames.h"
#include "shoal/assert.h"
#include "tests/certificates/test_authority.h"
#include "tests/runtime/test_node.h"

namespace shoal {
namespace {

using std::string_literals::operator""s;
using testing::HasSubstr;
using testing::StartsWith;

// A node with one listener, as configured.
class OneListener {
 public:
  explicit OneListener(ListenerConfig config, int workers = 1)
      : config_(std::move(config)),
        transports_(config_),
        node_((SHOAL_ASSERT(transports_.load() == std::nullopt),
               TestNode::Options{.workers = workers, .transports = {transports_.make()}})) {}
  TestNode& node() { return node_; }
  ListenerTransports& transports() { return transports_; }

 private:
  const ListenerConfig config_;
  ListenerTransports transports_;
  TestNode node_;
};

// ---- PROXY

ListenerConfig proxied(const char* trusted = "127.0.0.1") {
  ListenerConfig config;
  config.proxy_protocol = true;
  config.trusted_proxies = {*AddressRange::parse(trusted)};
  return config;
}

TEST(ProxyListener, TheClientHasTheAddressOfTheHeader) {
  OneListener listener(proxied());
  const std::string v1 = "PROXY TCP4 192.0.2.7 127.0.0.1 12345 1883\r\n";
  const std::string v2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\2\x08\x7F\0\0\1\x30\x39\7\x5B"s;
  const std::string local = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s;
  for (const auto& [header, address] :
       {std::pair{v1, "192.0.2.7"}, {v2, "192.0.2.8"}, {local, "127.0.0.1"}}) {
    TestClient together(listener.node().port());
    together.send(header + connect_packet("c"));
    EXPECT_EQ(together.receive(kConnack.size()), kConnack);
    EXPECT_EQ(listener.node().desk().last_address, address);

    TestClient byte_by_byte(listener.node().port());
    for (const char byte : header + connect_packet("d")) {
      byte_by_byte.send({&byte, 1});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(byte_by_byte.receive(kConnack.size()), kConnack);
    EXPECT_EQ(listener.node().desk().last_address, address);
  }
}

TEST(ProxyListener, ABadHeaderOrNoneClosesTheConnectionOnly) {
  OneListener listener(proxied());
  TestClient good(listener.node().port());
  good.send("PROXY UNKNOWN\r\n" + connect_packet("good"));
  EXPECT_EQ(good.receive(kConnack.size()), kConnack);
  for (const std::string& bytes :
       {connect_packet("c"), "PROXY TCP4 x y 1 2\r\n"s, std::string(5'000, 'P')}) {
    TestClient bad(listener.node().port());
    bad.send(bytes);
    EXPECT_TRUE(bad.is_closed());
  }
  good.send(kPing);
  EXPECT_EQ(good.receive(2), kPong);
}

TEST(ProxyListener, AHeaderFromAnyoneElseEndsTheConnection) {
  OneListener listener(proxied("10.0.0.0/8"));
  TestClient client(listener.node().port());
  client.send("PROXY UNKNOWN\r\n" + connect_packet("c"));
  EXPECT_TRUE(client.is_closed());
}

TEST(ProxyListener, ASlowHeaderIsGivenUpInTime) {
  ListenerConfig config = proxied();
  ListenerTransports transports(config);
  Limits limits;
  limits.connect_timeout = Duration::millis(200);
  TestNode node({.limits = limits, .transports = {transports.make()}});
  TestClient client(node.port());
  client.send("PROXY TCP4");
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(node.ledger().total(), 0u);
}

TEST(ProxyListener, TheHeaderTakesOfTheTimeForConnect) {
  ListenerConfig config = proxied();
  ListenerTransports transports(config);
  Limits limits;
  limits.connect_timeout = Duration::seconds(2);
  TestNode node({.limits = limits, .transports = {transports.make()}});
  const Instant begin = mono_now();
  TestClient client(node.port());
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
  client.send("PROXY UNKNOWN\r\n");
  EXPECT_TRUE(client.is_closed());
  EXPECT_LT(mono_now() - begin, Duration::seconds(3));
}

// ---- TLS

class TlsClient {
 public:
  struct Options {
    TestCertificate own;  // shown when not empty
    std::string server_name;
    int version_max = 0;
    const char* ciphers = nullptr;  // of the version, in the client's order
  };
  TlsClient(uint16_t port, const Options& options)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    if (!options.own.cert.empty()) {
      SSL_CTX_use_certificate_chain_file(context_.get(), options.own.cert.c_str());
      SSL_CTX_use_PrivateKey_file(context_.get(), options.own.key.c_str(), SSL_FILETYPE_PEM);
    }
    SSL_CTX_set_max_proto_version(context_.get(), options.version_max);
    if (options.ciphers) {
      options.version_max == TLS1_2_VERSION
          ? SSL_CTX_set_cipher_list(context_.get(), options.ciphers)
          : SSL_CTX_set_ciphersuites(context_.get(), options.ciphers);
    }
    ssl_.reset(SSL_new(context_.get()));
    if (!options.server_name.empty()) {
      SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
    }
    const timeval patience{10, 0};  // a test that waits for what never comes fails
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL_set_fd(ssl_.get(), socket_.fd());
    is_open_ = SSL_connect(ssl_.get()) == 1;
  }

  bool is_open() const { return is_open_; }
  void send(const std::string& bytes) {
    if (is_open_) SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  std::string receive(size_t size) {
    std::string bytes;
    char buffer[4096];
    while (is_open_ && bytes.size() < size) {
      const int got = SSL_read(ssl_.get(), buffer,
                               static_cast<int>(std::min(size - bytes.size(), sizeof buffer)));
      if (got <= 0) break;
      bytes.append(buffer, static_cast<size_t>(got));
    }
    return bytes;
  }
  std::string server_common_name() {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char name[256] = {};
    if (certificate)
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                                sizeof name);
    return name;
  }
  const char* version() { return SSL_get_version(ssl_.get()); }
  std::string cipher() { return SSL_get_cipher_name(ssl_.get()); }

 private:
  TestClient socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
  bool is_open_ = false;
};

class TlsListenerTest : public testing::Test {
 protected:
  TlsListenerTest() { std::filesystem::create_directories(folder_); }
  ~TlsListenerTest() override { std::filesystem::remove_all(folder_); }

  ListenerConfig config(ListenerType type = ListenerType::kMqtts) {
    ListenerConfig config;
    config.type = type;
    const TestCertificate own = authority().issue("server");
    config.certificates = {{own.cert, own.key}};
    return config;
  }
  TestAuthority& authority() {
    if (!authority_) authority_.emplace(folder_, "authority");
    return *authority_;
  }

  const std::string folder_ = testing::TempDir() + "/shoal-tls-" + std::to_string(::getpid());
  std::optional<TestAuthority> authority_;
};

TEST_F(TlsListenerTest, MessagesCrossInBothVersions) {  // [MQTT5-4.2-1]
  OneListener listener(config(), 2);
  const std::string message = publish_packet("t", std::string(200'000, 'x'));
  for (const auto& [version, name] :
       {std::pair{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}}) {
    TlsClient subscriber(listener.node().port(), {.version_max = version});
    ASSERT_TRUE(subscriber.is_open());
    EXPECT_STREQ(subscriber.version(), name);
    subscriber.send(connect_packet("s") + subscribe_packet("#"));
    EXPECT_EQ(subscriber.receive(kConnack.size() + kSuback.size()), kConnack + kSuback);
    TlsClient publisher(listener.node().port(), {.version_max = version});
    publisher.send(connect_packet("p") + message + message);
    EXPECT_EQ(publisher.receive(kConnack.size()), kConnack);
    EXPECT_EQ(subscriber.receive(2 * message.size()), message + message);
  }
}

// OpenSSL takes many records from the socket at once, which then has nothing more to tell.
TEST_F(TlsListenerTest, ManyRecordsThatCameTogetherAreAllRead) {
  OneListener listener(config());
  TlsClient client(listener.node().port(), {});
  client.send(connect_packet("c"));
  EXPECT_EQ(client.receive(kConnack.size()), kConnack);
  constexpr int kRecords = 200;
  listener.node().on_worker(0, [&](Worker&) {
    for (int i = 0; i < kRecords; ++i) client.send(kPing);
  });
  std::string pongs;
  for (int i = 0; i < kRecords; ++i) pongs += kPong;
  EXPECT_EQ(client.receive(pongs.size()), pongs);
}

TEST_F(TlsListenerTest, AConnectionGoesToAnotherWorkerAsItIs) {
  OneListener listener(config(), 2);
  TlsClient subscriber(listener.node().port(), {});
  subscriber.send(connect_packet("s") + subscribe_packet("#"));
  EXPECT_EQ(subscriber.receive(kConnack.size() + kSuback.size()), kConnack + kSuback);
  std::vector<std::unique_ptr<TlsClient>> publishers;
  for (int i = 0; i < 4; ++i) {
    publishers.push_back(std::make_unique<TlsClient>(listener.node().port(), TlsClient::Options{}));
    publishers.back()->send(connect_packet("p" + std::to_string(i)));
    ASSERT_EQ(publishers.back()->receive(kConnack.size()), kConnack);
  }
  const std::string message = publish_packet("t", "hello");
  const auto is_gathered = [&] {
    size_t sockets = 0;
    listener.node().on_worker(0, [&](Worker& self) { sockets = self.socket_count(); });
    return sockets == 0 || sockets == publishers.size() + 1;
  };
  ASSERT_FALSE(is_gathered());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_gathered() && std::chrono::steady_clock::now() < give_up) {
    for (const auto& publisher : publishers) {
      for (int i = 0; i < 20; ++i) publisher->send(message);
      for (int i = 0; i < 20; ++i) ASSERT_EQ(subscriber.receive(message.size()), message);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(is_gathered());
  for (const auto& publisher : publishers) {
    publisher->send(message + kPing);
    EXPECT_EQ(publisher->receive(kPong.size()), kPong);
    EXPECT_EQ(subscriber.receive(message.size()), message);
  }
}

TEST_F(TlsListenerTest, OlderVersionsAreRefused) {
  ListenerConfig only13 = config();
  only13.tls_min_version = TlsVersion::k13;
  OneListener listener(only13);
  EXPECT_FALSE(TlsClient(listener.node().port(), {.version_max = TLS1_2_VERSION}).is_open());
  EXPECT_TRUE(TlsClient(listener.node().port(), {}).is_open());
}

TEST_F(TlsListenerTest, TheCipherIsAes128UnlessTheClientPrefersChaCha) {
  OneListener listener(config());
  struct Row {
    int version;
    const char* offered;
    const char* chosen;
  };
  for (const Row& row : {
           Row{TLS1_3_VERSION, nullptr, "TLS_AES_128_GCM_SHA256"},
           Row{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
               "TLS_AES_128_GCM_SHA256"},
           Row{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
           Row{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
               "TLS_CHACHA20_POLY1305_SHA256"},
           Row{TLS1_2_VERSION, nullptr, "ECDHE-ECDSA-AES128-GCM-SHA256"},
           Row{TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256",
               "ECDHE-ECDSA-CHACHA20-POLY1305"},
       }) {
    TlsClient client(listener.node().port(), {.version_max = row.version, .ciphers = row.offered});
    EXPECT_TRUE(client.is_open());
    EXPECT_EQ(client.cipher(), row.chosen);
  }
  EXPECT_FALSE(TlsClient(listener.node().port(),
                         {.version_max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA"})
                   .is_open());
}

TEST_F(TlsListenerTest, TheNameAskedForChoosesTheCertificate) {
  ListenerConfig config = this->config();
  for (const char* const host : {"a.example", "b.example"}) {
    const TestCertificate one = authority().issue_for_host(std::string("for-") + host, host);
    config.certificates.push_back({one.cert, one.key});
  }
  OneListener listener(config);
  for (const auto& [name, expected] : {std::pair{"a.example", "for-a.example"},
                                       {"b.example", "for-b.example"},
                                       {"c.example", "server"},
                                       {"", "server"}}) {
    TlsClient client(listener.node().port(), {.server_name = name});
    EXPECT_EQ(client.server_common_name(), expected);
  }
}

TEST_F(TlsListenerTest, ClientCertificatesAreVerifiedAndNameTheClient) {
  ListenerConfig config = this->config();
  const TestCertificate meter = authority().issue("meter-7");
  config.client_ca = meter.ca;
  OneListener listener(config);
  TlsClient client(listener.node().port(), {.own = meter});
  client.send(connect_packet("c"));
  EXPECT_EQ(client.receive(kConnack.size()), kConnack);
  EXPECT_EQ(listener.node().desk().last_identity, "meter-7");

  TestAuthority strangers(folder_, "strangers");
  for (const TestCertificate& own : {TestCertificate(), strangers.issue("stranger")}) {
    TlsClient stranger(listener.node().port(), {.own = own});
    stranger.send(connect_packet("c"));
    EXPECT_EQ(stranger.receive(kConnack.size()), "");
  }
}

TEST_F(TlsListenerTest, CertificatesAreExchangedWhileConnectionsLast) {
  const ListenerConfig config = this->config();
  OneListener listener(config);
  TlsClient old(listener.node().port(), {});
  old.send(connect_packet("old"));
  EXPECT_EQ(old.receive(kConnack.size()), kConnack);

  const TestCertificate fresh = authority().issue("fresh");
  constexpr auto kOver = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(fresh.cert, config.certificates[0].cert, kOver);
  EXPECT_THAT(listener.transports().load().value_or(""), HasSubstr("is not the key of"));
  EXPECT_EQ(TlsClient(listener.node().port(), {}).server_common_name(), "server");
  std::filesystem::copy_file(fresh.key, config.certificates[0].key, kOver);
  EXPECT_EQ(listener.transports().load(), std::nullopt);
  EXPECT_EQ(TlsClient(listener.node().port(), {}).server_common_name(), "fresh");
  old.send(kPing);
  EXPECT_EQ(old.receive(2), kPong);
}

TEST_F(TlsListenerTest, BytesThatAreNoTlsCloseTheirConnection) {
  OneListener listener(config());
  TestClient client(listener.node().port());
  client.send(connect_packet("plain"));
  EXPECT_TRUE(client.is_closed());
}

TEST_F(TlsListenerTest, AProxyHeaderComesBeforeTls) {
  ListenerConfig config = this->config();
  config.proxy_protocol = true;
  config.trusted_proxies = {*AddressRange::parse("127.0.0.1")};
  OneListener listener(config);
  // The header goes out before the client's hello: by a relay, as a balancer would.
  TestClient outer(listener.node().port());
  outer.send("PROXY TCP4 192.0.2.9 127.0.0.1 1 2\r\n");
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), outer.fd());
  ASSERT_EQ(SSL_connect(ssl.get()), 1);
  const std::string connect = connect_packet("c");
  SSL_write(ssl.get(), connect.data(), static_cast<int>(connect.size()));
  std::string answer(kConnack.size(), '\0');
  SSL_read(ssl.get(), answer.data(), static_cast<int>(answer.size()));
  EXPECT_EQ(answer, kConnack);
  EXPECT_EQ(listener.node().desk().last_address, "192.0.2.9");
}

// ---- WebSocket

const std::string kRequest =
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

// A client's frame, masked with zeros.
std::string frame(int first_byte, const std::string& payload) {
  std::array<uint8_t, 10> header{};
  const size_t size = encode_binary_header(payload.size(), header);
  header[0] = static_cast<uint8_t>(first_byte);
  header[1] |= 0x80;
  return std::string(header.begin(), header.begin() + static_cast<ptrdiff_t>(size)) + "\0\0\0\0"s +
         payload;
}
std::string binary(const std::string& payload) { return frame(0x82, payload); }

// Server's frames of `size` bytes of payload in all; control frames are kept apart.
template <class Client>
std::string receive_payload(Client& client, size_t size, std::string* control = nullptr) {
  std::string payload;
  while (payload.size() < size) {
    const std::string head = client.receive(2);
    if (head.size() < 2) break;
    size_t length = static_cast<uint8_t>(head[1]);
    const size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    const std::string longer = client.receive(extra);
    if (extra != 0) length = 0;
    for (const char c : longer) length = length << 8 | static_cast<uint8_t>(c);
    const std::string body = client.receive(length);
    if (head[0] == '\x82') {
      payload += body;
    } else if (control != nullptr) {
      *control += head + body;
    }
  }
  return payload;
}

template <class Client>
void upgrade(Client& client) {
  client.send(kRequest);
  std::string response;
  while (response.find("\r\n\r\n") == std::string::npos) {
    const std::string byte = client.receive(1);
    ASSERT_FALSE(byte.empty()) << response;
    response += byte;
  }
  EXPECT_THAT(response, StartsWith("HTTP/1.1 101 "));
}

ListenerConfig websocket() {
  ListenerConfig config;
  config.type = ListenerType::kWs;
  return config;
}

TEST(WebSocketListener, MessagesCrossHoweverTheyAreFramed) {
  OneListener listener(websocket());
  TestClient subscriber(listener.node().port());
  upgrade(subscriber);
  subscriber.send(binary(connect_packet("s")) + binary(subscribe_packet("#")));
  EXPECT_EQ(receive_payload(subscriber, kConnack.size() + kSuback.size()), kConnack + kSuback);

  TestClient publisher(listener.node().port());
  upgrade(publisher);
  std::string packets = connect_packet("p");
  std::string messages;
  for (int i = 0; i < 200; ++i) messages += publish_packet("t", std::to_string(i));
  packets += messages;
  // Seven bytes a frame, now and then in fragments, a ping between.  [MQTT5-6.0.0-2] [MQTT311-6.0.0-2]
  std::string frames;
  for (size_t at = 0; at < packets.size(); at += 7) {
    const std::string part = packets.substr(at, 7);
    frames += at % 3 == 0
                  ? frame(0x02, part.substr(0, 2)) + frame(0x89, "hi") + frame(0x80, part.substr(2))
                  : binary(part);
  }
  publisher.send(frames);
  std::string pongs;
  EXPECT_EQ(receive_payload(publisher, kConnack.size(), &pongs), kConnack);
  EXPECT_EQ(receive_payload(subscriber, messages.size()), messages);
  if (pongs.empty()) pongs = publisher.receive(4);
  EXPECT_THAT(pongs, StartsWith("\x8A\x02hi"));
}

TEST(WebSocketListener, ALargeMessageToASlowReaderArrivesWhole) {  // [MQTT5-4.2-1]
  OneListener listener(websocket());
  TestClient subscriber(listener.node().port());
  upgrade(subscriber);
  subscriber.send(binary(connect_packet("s")) + binary(subscribe_packet("#")));
  EXPECT_EQ(receive_payload(subscriber, kConnack.size() + kSuback.size()), kConnack + kSuback);
  TestClient publisher(listener.node().port());
  upgrade(publisher);
  const std::string message = publish_packet("t", std::string(200'000, 'x'));
  publisher.send(binary(connect_packet("p")));
  for (int i = 0; i < 15; ++i) publisher.send(binary(message));
  publisher.send(binary(kPing));
  EXPECT_EQ(receive_payload(publisher, kConnack.size() + 2), kConnack + kPong);
  subscriber.send(frame(0x89, "there?"));
  std::string pongs;
  for (int i = 0; i < 15; ++i)
    ASSERT_EQ(receive_payload(subscriber, message.size(), &pongs), message);
  while (pongs.size() < 8) pongs += subscriber.receive(8 - pongs.size());
  EXPECT_EQ(pongs, "\x8A\x06there?");
}

TEST(WebSocketListener, TextFramesAndForeignRequestsAreRefused) {
  OneListener listener(websocket());
  TestClient text(listener.node().port());
  upgrade(text);
  text.send(frame(0x81, connect_packet("c")));
  EXPECT_EQ(text.receive(4), "\x88\x02\x03\xEB");  // [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
  EXPECT_TRUE(text.is_closed());
  TestClient http(listener.node().port());
  http.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(http.receive(13), "HTTP/1.1 426 ");
  EXPECT_TRUE(http.is_closed());
}

TEST(WebSocketListener, ACloseIsAnswered) {
  OneListener listener(websocket());
  TestClient client(listener.node().port());
  upgrade(client);
  client.send(binary(connect_packet("c")));
  EXPECT_EQ(receive_payload(client, kConnack.size()), kConnack);
  client.send(frame(0x88, "\x03\xE8"));
  EXPECT_EQ(client.receive(4), "\x88\x02\x03\xE8");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(TlsListenerTest, WebSocketOverTls) {
  OneListener listener(config(ListenerType::kWss));
  TlsClient client(listener.node().port(), {});
  ASSERT_TRUE(client.is_open());
  upgrade(client);
  const std::string message = publish_packet("t", std::string(100'000, 'x'));
  client.send(binary(connect_packet("c")) + binary(subscribe_packet("#")) + binary(message));
  const std::string expected = kConnack + kSuback + message;
  EXPECT_EQ(receive_payload(client, expected.size()), expected);
}

// ---- Unix

TEST(UnixListener, ALeftOverSocketFileIsReplacedAndALiveOneIsNot) {
  ListenerConfig config;
  config.name = "local";
  config.type = ListenerType::kUnix;
  config.unix_path = testing::TempDir() + "/shoal-unix-" + std::to_string(::getpid());
  {
    auto first = listen_on(config);
    ASSERT_TRUE(std::holds_alternative<ListeningSocket>(first));
    EXPECT_EQ(std::get<std::string>(listen_on(config)),
              "listener local on " + config.unix_path + ": Address already in use");
  }
  EXPECT_TRUE(std::holds_alternative<ListeningSocket>(listen_on(config)));
  std::filesystem::remove(config.unix_path);
}

}  // namespace
}  // namespace shoal
