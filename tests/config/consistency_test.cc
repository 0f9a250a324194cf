// What one option says against what another does, and what listeners become of flags and tables.
#include <gmock/gmock.h>

#include "node/config/load.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Loaded load_options(const std::vector<std::string>& args) {
  return load_serve_config({.args = args, .host = {"host-1", 4}});
}

Loaded load_text(const std::string& text) { return load_config_text(text, "f", {"host-1", 4}); }

// "E where: what" and "W where: what".
std::vector<std::string> all_of(const Loaded& loaded) {
  std::vector<std::string> texts;
  for (const Finding& finding : loaded.findings.all()) {
    const bool is_error = finding.severity == Finding::Severity::kError;
    texts.push_back((is_error ? "E " : "W ") + finding.text());
  }
  return texts;
}

TEST(Consistency, ASlowSubscriberIsGivenUpBeforeItsPublishersByDefault) {
  const auto slow_of = [](std::vector<std::string> args) {
    return load_options(std::move(args)).config.limits.slow_timeout;
  };
  EXPECT_EQ(slow_of({}), Duration::seconds(15));
  EXPECT_EQ(slow_of({"--publish-timeout", "10s"}), Duration::seconds(5));
  EXPECT_EQ(slow_of({"--publish-timeout", "10m"}), Duration::seconds(15));
}

TEST(Consistency, OptionsThatDoNotFitTogether) {
  struct Case {
    std::vector<std::string> args;
    std::vector<std::string> findings;  // their beginnings
  };
  const std::vector<std::string> tls = {"--peer-cert", "c", "--peer-key", "k", "--peer-ca", "a"};
  const auto with_tls = [&tls](std::vector<std::string> args) {
    args.insert(args.end(), tls.begin(), tls.end());
    return args;
  };
  const Case cases[] = {
      // Between nodes.
      {{"--peer", "10.0.0.1:7883"}, {"E --peer: 10.0.0.1:7883 is beyond loopback: give"}},
      {{"--peer", "node-1:7883"}, {"E --peer: node-1:7883 is beyond loopback"}},
      {{"--peer", "10.0.0.1:7883", "--peer-insecure"}, {}},
      {with_tls({"--peer", "10.0.0.1:7883"}), {}},
      {with_tls({"--peer-insecure"}), {"E --peer-insecure: contradicts --peer-cert"}},
      {{"--peer-cert", "c", "--peer-ca", "a"}, {"E --peer-cert: needs --peer-key as well"}},
      {{"--peer-ca", "a"}, {"E --peer-ca: needs --peer-cert as well"}},
      {{"--peer", "[::1]:7883"}, {}},
      {{"--peer", "0.0.0.0:7883", "--peer-insecure"},
       {"E --peer: 0.0.0.0:7883 is no address that another node could reach"}},
      {{"--peer", "0.0.0.0:7883", "--peer-insecure", "--peer-advertise", "n1:7883"}, {}},
      {{"--peer-advertise", "0.0.0.0:7883"}, {"E --peer-advertise: expected an address that"}},
      {{"--join", "n1:0"}, {"E --join: n1:0 has no port"}},
      {{"--join", "n1:7883", "--expect", "1"}, {"E --expect: 1 together with --join would make"}},
      {{"--join", "127.0.0.1:7883", "--expect", "1"}, {}},  // only itself
      {{"--join", "n1:7883", "--expect", "3"}, {}},
      {{"--join", "n1:7883"}, {}},
      {{"--expect", "3"}, {"W --expect: without --join the other nodes must name this one"}},
      {{"--replicas", "2"}, {"W --replicas: 2 replicas bear the loss of no more nodes than 1"}},
      {{"--replicas", "1"}, {}},
      {{"--lease-duration", "400ms"}, {"E --lease-duration: must be three times"}},
      {{"--lease-duration", "500ms", "--heartbeat-interval", "100ms"}, {}},
      {{"--max-arriving-bytes", "1MiB"}, {"E --max-arriving-bytes: is below --max-packet-size"}},
      {{"--max-arriving-bytes", "1MiB", "--max-packet-size", "1MiB"}, {}},
      {{"--slow-timeout", "30s"}, {"E --slow-timeout: must be below --publish-timeout (30s)"}},
      {{"--slow-timeout", "29s"}, {}},
      {{"--slow-timeout", "1m", "--publish-timeout", "2m"}, {}},
      {{"--publish-timeout", "10s"}, {}},  // the other's default comes down with it
      // Ports.
      {{"--mqtt", "127.0.0.1:1,127.0.0.1:1"},
       {"E --mqtt: 127.0.0.1:1 is already taken by \"mqtt@127.0.0.1:1\" (127.0.0.1:1)"}},
      {{"--mqtt", "127.0.0.1:9883"}, {"E --mqtt: 127.0.0.1:9883 is already taken by --admin"}},
      {{"--mqtt", "localhost:9883"}, {"E --mqtt: localhost:9883 is already taken by --admin"}},
      {{"--mqtt", "[::1]:9883"}, {}},
      {{"--mqtt", "127.0.0.2:9883"}, {}},
      {{"--admin", "0.0.0.0:1883"},
       {"E --mqtt: 127.0.0.1:1883 is already taken by --admin (0.0.0.0:1883)"}},
      {{"--admin", "127.0.0.1:7883"}, {"E --admin: 127.0.0.1:7883 is already taken by --peer"}},
      {{"--mqtt", "127.0.0.1:0,127.0.0.1:0"}, {}},
      {{"--mqtt-unix", "/tmp/s,/tmp/s"}, {"E --mqtt-unix: /tmp/s is already another listener's"}},
      {{"--mqtt-unix", std::string(108, 's')}, {"E --mqtt-unix: the path of a socket has at most"}},
      // TLS.
      {{"--mqtts", "127.0.0.1:1"},
       {"E --mqtts: \"mqtts@127.0.0.1:1\" has no certificate: give --cert and --key"}},
      {{"--mqtts", "127.0.0.1:1", "--cert", "c"}, {"E --cert: 1 certificate(s) but 0 key(s)"}},
      {{"--wss", "127.0.0.1:1", "--cert", "c", "--key", "k,l"},
       {"E --cert: 1 certificate(s) but 2 key(s)"}},
      {{"--wss", "127.0.0.1:1", "--cert", "c,d", "--key", "k,l"}, {}},
      {{"--cert", "c", "--key", "k"},
       {"W --cert: has no use without an mqtts", "W --key: has no use without an mqtts"}},
      {{"--mqtts", "127.0.0.1:1", "--cert", "c", "--key", "k", "--identity-as-username"},
       {"E --mqtts: needs the authority"}},
      {{"--mqtts", "0.0.0.0:1", "--cert", "c", "--key", "k", "--ca", "a", "--identity-as-username"},
       {}},
      // WebSocket.
      {{"--ws", "127.0.0.1:1", "--ws-path", "mqtt"},
       {"E --ws-path: expected a path that begins with /, got \"mqtt\""}},
      {{"--ws", "127.0.0.1:1", "--ws-path", "/mqtt", "--allowed-origins", "*"}, {}},
      {{"--ws-path", "/mqtt"}, {"W --ws-path: has no use without a ws"}},
      // Who gets in.
      {{"--mqtt", "0.0.0.0:1"}, {"W --mqtt: nobody can log in on \"mqtt@0.0.0.0:1\": give"}},
      {{"--mqtt", "0.0.0.0:1", "--password-file", "p"}, {}},
      {{"--mqtt", "0.0.0.0:1", "--allow-anonymous"}, {}},
      {{"--allow-anonymous=false"}, {"W --mqtt: nobody can log in on \"mqtt@127.0.0.1:1883\""}},
      {{"--mqtt-proxy", "10.0.0.1:1", "--allow-anonymous"},
       {"W --mqtt-proxy: \"mqtt-proxy@10.0.0.1:1\" expects PROXY headers but trusts only"}},
      {{"--mqtt-proxy", "10.0.0.1:1", "--allow-anonymous", "--trusted-proxies", "10.0.0.2"}, {}},
      {{"--admin", "0.0.0.0:9883"}, {}},
  };
  for (const auto& [args, expected] : cases) {
    const auto found = all_of(load_options(args));
    ASSERT_EQ(found.size(), expected.size())
        << testing::PrintToString(args) << " " << testing::PrintToString(found);
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(found[i].rfind(expected[i], 0), 0u) << found[i];
  }
}

TEST(Consistency, KeysOfAListenerThatDoNotFit) {
  const std::pair<const char*, const char*> cases[] = {
      {"tls-cert = 'c'", "E f:3: tls-cert: only for mqtts and wss"},
      {"identity-as-username = true", "E f:3: identity-as-username: only for mqtts and wss"},
      {"path = '/mqtt'", "E f:3: path: only for ws and wss"},
      {"allowed-origins = ['*']", "E f:3: allowed-origins: only for ws and wss"},
  };
  for (const auto& [key, finding] : cases) {
    const Loaded loaded = load_text(std::string("[[listener]]\naddress = '127.0.0.1:1'\n") + key);
    EXPECT_THAT(all_of(loaded), ElementsAre(finding));
  }
  EXPECT_THAT(all_of(load_text("[[listener]]\ntype = 'mqtt-unix'\naddress = '/tmp/s'\n"
                               "proxy-protocol = true")),
              ElementsAre("E f:4: proxy-protocol: a Unix socket takes no PROXY header"));
  EXPECT_THAT(all_of(load_text("[[listener]]\nname = 'x'\naddress = '127.0.0.1:1'\n"
                               "[[listener]]\nname = 'x'\naddress = '127.0.0.1:2'\n")),
              ElementsAre("E f:5: name: \"x\" is the name of another listener"));
  EXPECT_THAT(all_of(load_text("[[listener]]\naddress = '127.0.0.1:1'\ntype = 'mqtts'\n"
                               "tls-cert = ['a', 'b']\ntls-key = 'a'\n")),
              ElementsAre("E f:4: tls-cert: 2 certificate(s) but 1 key(s): each certificate needs "
                          "its key"));
}

TEST(Listeners, FromTablesAndFlagsTogether) {
  const Loaded loaded = load_text(R"(
mqtt = "127.0.0.1:1"
mqtt-unix = "/tmp/s"
mqtt-proxy = "127.0.0.1:2"
cert = "common.pem"
key = "common.key"
password-file = "common-users"
acl-file = "common-acl"
max-qos = 1

[[listener]]
name = "devices"
type = "mqtts"
address = "[::]:3"
tls-cert = ["a.pem", "b.pem"]
tls-key = ["a.key", "b.key"]
tls-client-ca = "ca.pem"
identity-as-username = true
proxy-protocol = true
trusted-proxies = "10.0.0.0/8"
max-connections = 50
password-file = "own-users"
allow-anonymous = true
max-qos = 2

[[listener]]
type = "wss"
address = "127.0.0.1:4"
path = "/mqtt"
allowed-origins = ["https://a.example", "https://b.example"]
)");
  EXPECT_THAT(all_of(loaded), IsEmpty());
  const auto& all = loaded.config.listeners;
  ASSERT_EQ(all.size(), 5u);

  EXPECT_EQ(all[0].name, "mqtt@127.0.0.1:1");
  EXPECT_EQ(all[0].password_file, "common-users");
  EXPECT_EQ(all[0].acl_file, "common-acl");
  EXPECT_EQ(all[0].max_qos, Qos::k1);
  EXPECT_EQ(all[0].anonymous, Anonymous::kRefused);  // there are passwords
  EXPECT_THAT(all[0].certificates, IsEmpty());

  EXPECT_EQ(all[1].name, "mqtt-proxy@127.0.0.1:2");
  EXPECT_EQ(all[1].type, ListenerType::kMqtt);
  EXPECT_TRUE(all[1].proxy_protocol);
  EXPECT_EQ(all[1].trusted_proxies.size(), 2u);  // loopback, of both families

  EXPECT_EQ(all[2].type, ListenerType::kUnix);
  EXPECT_EQ(all[2].unix_path, "/tmp/s");
  EXPECT_EQ(all[2].address_text(), "/tmp/s");

  EXPECT_EQ(all[3].name, "devices");
  EXPECT_EQ(all[3].address, (HostPort{"::", 3}));
  EXPECT_THAT(all[3].certificates,
              ElementsAre(CertificateFiles{"a.pem", "a.key"}, CertificateFiles{"b.pem", "b.key"}));
  EXPECT_EQ(all[3].client_ca, "ca.pem");
  EXPECT_TRUE(all[3].identity_as_username);
  EXPECT_TRUE(all[3].proxy_protocol);
  EXPECT_THAT(all[3].trusted_proxies, ElementsAre(*AddressRange::parse("10.0.0.0/8")));
  EXPECT_EQ(all[3].max_connections, 50u);
  EXPECT_EQ(all[3].password_file, "own-users");
  EXPECT_EQ(all[3].acl_file, "common-acl");
  EXPECT_EQ(all[3].anonymous, Anonymous::kAllowed);
  EXPECT_EQ(all[3].max_qos, Qos::k2);
  EXPECT_EQ(all[3].origin, "f:11: listener");
  EXPECT_EQ(all[3].file_origins.at("own-users"), "f:22: password-file");
  EXPECT_EQ(all[3].file_origins.at("common-acl"), "f:8: acl-file");

  EXPECT_EQ(all[4].name, "wss@127.0.0.1:4");
  EXPECT_THAT(all[4].certificates, ElementsAre(CertificateFiles{"common.pem", "common.key"}));
  EXPECT_EQ(all[4].path, "/mqtt");
  EXPECT_THAT(all[4].allowed_origins, ElementsAre("https://a.example", "https://b.example"));
}

TEST(Listeners, WhoGetsInWithoutAName) {
  struct Case {
    std::vector<std::string> args;
    Anonymous anonymous;
  };
  const Case cases[] = {
      {{}, Anonymous::kFromLoopback},
      {{"--mqtt-unix", "/tmp/s"}, Anonymous::kFromLoopback},
      {{"--mqtt-proxy", "127.0.0.1:1"}, Anonymous::kFromLoopback},
      {{"--mqtt", "10.0.0.1:1"}, Anonymous::kRefused},
      {{"--mqtt", "0.0.0.0:1"}, Anonymous::kRefused},
      {{"--password-file", "p"}, Anonymous::kRefused},
      {{"--password-file", "p", "--allow-anonymous"}, Anonymous::kAllowed},
      {{"--allow-anonymous"}, Anonymous::kAllowed},
      {{"--allow-anonymous=off"}, Anonymous::kRefused},
      {{"--mqtt", "0.0.0.0:1", "--allow-anonymous"}, Anonymous::kAllowed},
  };
  for (const auto& [args, anonymous] : cases) {
    EXPECT_EQ(load_options(args).config.listeners.at(0).anonymous, anonymous)
        << testing::PrintToString(args);
  }
}

}  // namespace
}  // namespace shoal
