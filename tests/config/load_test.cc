#include "node/config/load.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Variables = std::map<std::string, std::string>;

Loaded load(const std::vector<std::string>& args, const Variables& environment = {}) {
  return load_serve_config({.args = args, .environment = environment, .host = {"host-1", 4}});
}

std::vector<std::string> errors_of(const Loaded& loaded) {
  std::vector<std::string> texts;
  for (const Finding& finding : loaded.findings.all()) {
    if (finding.severity == Finding::Severity::kError) texts.push_back(finding.text());
  }
  return texts;
}

std::vector<std::string> warnings_of(const Loaded& loaded) {
  std::vector<std::string> texts;
  for (const Finding& finding : loaded.findings.all()) {
    if (finding.severity == Finding::Severity::kWarning) texts.push_back(finding.text());
  }
  return texts;
}

Loaded load_file(const std::string& text) {
  return load_config_text(text, "shoal.toml", {"host-1", 4});
}

TEST(Load, WithoutOptionsItIsAWorkingNodeOnLoopback) {
  const Loaded loaded = load({});
  EXPECT_THAT(loaded.findings.all(), IsEmpty());
  const ServeConfig& config = loaded.config;
  EXPECT_EQ(config.node_name, "host-1");
  EXPECT_EQ(config.workers, 4u);
  EXPECT_EQ(config.data_dir, "./shoal-data");
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0].address, (HostPort{"127.0.0.1", 1883}));
  EXPECT_EQ(config.listeners[0].name, "mqtt@127.0.0.1:1883");
  EXPECT_EQ(config.listeners[0].anonymous, Anonymous::kFromLoopback);
  EXPECT_EQ(config.peer_advertise, config.peer);
  EXPECT_FALSE(config.expect.has_value());
}

TEST(Load, FlagsWinOverEnvironmentWinsOverFile) {
  const std::string file = testing::TempDir() + "shoal-load-" + std::to_string(getpid()) + ".toml";
  std::ofstream(file) << "max-queued = 1\nmax-inflight = 1\nreceive-maximum = 1\n"
                         "join = ['a:1', 'b:2']\nmqtt = '127.0.0.1:1'\n";
  const Loaded loaded = load({"--max-queued", "3", "--join=c:3"}, {{"SHOAL_MAX_QUEUED", "2"},
                                                                   {"SHOAL_MAX_INFLIGHT", "2"},
                                                                   {"SHOAL_CONFIG", file},
                                                                   {"SHOAL_ZONE", ""},
                                                                   {"HOME", "x"}});
  unlink(file.c_str());
  EXPECT_THAT(errors_of(loaded), IsEmpty());
  EXPECT_EQ(loaded.config.limits.queued_max, 3u);
  EXPECT_EQ(loaded.config.limits.inflight_max, 2u);
  EXPECT_EQ(loaded.config.limits.receive_maximum, 1u);
  EXPECT_THAT(loaded.config.join, ElementsAre(HostPort{"c", 3}));
  EXPECT_EQ(loaded.config.zone, "");
  EXPECT_EQ(loaded.config.config_file, file);
  EXPECT_EQ(loaded.origin_of("max-queued"), "--max-queued");
  EXPECT_EQ(loaded.origin_of("max-inflight"), "SHOAL_MAX_INFLIGHT");
  EXPECT_EQ(loaded.origin_of("receive-maximum"), file + ":3: receive-maximum");
  EXPECT_EQ(loaded.origin_of("weight"), "--weight");
}

TEST(Load, ListsFromEverySource) {
  const auto addresses = [](const Loaded& loaded) {
    std::vector<std::string> all;
    for (const ListenerConfig& listener : loaded.config.listeners) {
      all.push_back(listener.address.text());
    }
    return all;
  };
  const auto expected = ElementsAre("127.0.0.1:1", "[::1]:2", "localhost:3");
  EXPECT_THAT(addresses(load({"--mqtt", "127.0.0.1:1,[::1]:2", "--mqtt=localhost:3"})), expected);
  EXPECT_THAT(addresses(load({}, {{"SHOAL_MQTT", "127.0.0.1:1, [::1]:2 ,localhost:3"}})), expected);
  EXPECT_THAT(addresses(load_file("mqtt = ['127.0.0.1:1', '[::1]:2', 'localhost:3']")), expected);
  EXPECT_THAT(addresses(load_file("mqtt = '127.0.0.1:1,[::1]:2,localhost:3'")), expected);
  EXPECT_THAT(addresses(load({"--mqtt", ""})), ElementsAre("127.0.0.1:1883"));
}

TEST(Load, EveryKindOfValueFromTheFile) {
  const Loaded loaded = load_file(R"(
node-name = "n1"
allow-anonymous = true
max-packet-size = "1MiB"
max-queued-bytes = 65536
session-expiry-max = "none"
keepalive-max = "5m"
retry-interval = 0
expect = 3
join = []
trusted-proxies = ["10.0.0.0/8", "::1"]
durability = "os"
log-format = "json"
log-level = "debug"
max-qos = 1
tls-min-version = "1.3"
slow-timeout = "1500ms"
log-rate = "none"
)");
  EXPECT_THAT(errors_of(loaded), IsEmpty());
  const ServeConfig& config = loaded.config;
  EXPECT_EQ(config.node_name, "n1");
  EXPECT_EQ(config.listeners[0].anonymous, Anonymous::kAllowed);
  EXPECT_EQ(config.limits.packet_size_max, 1u << 20);
  EXPECT_EQ(config.limits.queued_bytes_max, 65536u);
  EXPECT_EQ(config.limits.session_expiry_max_s, UINT32_MAX);
  EXPECT_EQ(config.limits.keepalive_max_s, 300u);
  EXPECT_EQ(config.limits.retry_interval, Duration{});
  EXPECT_EQ(config.expect, 3u);
  EXPECT_EQ(config.listeners[0].trusted_proxies.size(), 2u);
  EXPECT_EQ(config.durability, Durability::kOs);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.listeners[0].max_qos, Qos::k1);
  EXPECT_EQ(config.listeners[0].tls_min_version, TlsVersion::k13);
  EXPECT_EQ(config.limits.slow_timeout, Duration::millis(1500));
  EXPECT_EQ(config.log_rate, 0u);
}

TEST(Load, FlagsThatAreWrong) {
  struct Case {
    std::vector<std::string> args;
    std::string error;
  };
  const Case cases[] = {
      {{"--max-inflight", "x"}, "--max-inflight: expected a number from 1 to 65535, got \"x\""},
      {{"--max-inflight=65536"},
       "--max-inflight: expected a number from 1 to 65535, got \"65536\""},
      {{"--max-inflight", "-1"}, "--max-inflight: expected a number from 1 to 65535, got \"-1\""},
      {{"--max-inflight"}, "--max-inflight: expected a value"},
      {{"--max-inflight="}, "--max-inflight: expected a value"},
      {{"--max-inflight", "1", "--max-inflight", "2"}, "--max-inflight: given 2 times"},
      {{"--zone", ""}, "--zone: expected a text, got \"\""},
      {{"--server-reference", "a\tb"},
       "--server-reference: expected up to 1024 printable ASCII characters, got \"a\tb\""},
      {{"--max-inflght", "3"}, "--max-inflght: no such flag; did you mean --max-inflight?"},
      {{"--frobnicate"}, "--frobnicate: no such flag"},
      {{"-q"}, "-q: no such flag"},
      {{"shoal.toml"}, "shoal.toml: serve takes options only"},
      {{"--mqtt", "1883"},
       "--mqtt: expected HOST:PORT such as 127.0.0.1:1883 or [::1]:1883, got \"1883\""},
      {{"--mqtt", "127.0.0.1:1,,127.0.0.1:2"},
       "--mqtt: expected HOST:PORT such as 127.0.0.1:1883 or [::1]:1883, got \"\""},
      {{"--retry-interval", "20"},
       "--retry-interval: expected a duration such as 20s, 500ms or 1h, from 0 to 1d, got \"20\""},
      {{"--keepalive-max", "1500ms"},
       "--keepalive-max: expected none or a duration of whole seconds such as 20s or 1h, to "
       "65535s, got \"1500ms\""},
      {{"--max-packet-size", "1GiB"},
       "--max-packet-size: expected bytes or a size such as 64MiB, from 64 to 268435455, got "
       "\"1GiB\""},
      {{"--durability", "none"}, "--durability: expected fsync or os, got \"none\""},
      {{"--log-level", "trace"},
       "--log-level: expected debug, info, warning or error, got \"trace\""},
      {{"--peer-insecure=maybe"}, "--peer-insecure: expected true or false, got \"maybe\""},
      {{"--trusted-proxies", "10.0.0.0/33"},
       "--trusted-proxies: expected an address or a range such as 10.0.0.0/8 or fd00::/8, got "
       "\"10.0.0.0/33\""},
      {{"--config", "/nonexistent"},
       "--config: /nonexistent: cannot read: No such file or directory"},
      {{"--config", "/"}, "--config: /: cannot read: Is a directory"},
      {{"--workers", "65"}, "--workers: expected a number from 1 to 64, got \"65\""},
      {{"--node-name", std::string("a\0b", 3)},
       std::string("--node-name: expected a text, got \"a\0b\"", 39)},
  };
  for (const auto& [args, error] : cases) EXPECT_THAT(errors_of(load(args)), ElementsAre(error));
}

TEST(Load, VariablesThatAreWrong) {
  EXPECT_THAT(errors_of(load({}, {{"SHOAL_MAX_INFLIGHT", "x"}})),
              ElementsAre("SHOAL_MAX_INFLIGHT: expected a number from 1 to 65535, got \"x\""));
  const Loaded unknown = load({}, {{"SHOAL_MAX_INFLGHT", "3"}, {"SHOAL_PORT_1883_TCP_ADDR", "x"}});
  EXPECT_THAT(errors_of(unknown), IsEmpty());
  EXPECT_THAT(
      warnings_of(unknown),
      ElementsAre("SHOAL_MAX_INFLGHT: no such variable, ignored; did you mean SHOAL_MAX_INFLIGHT?",
                  "SHOAL_PORT_1883_TCP_ADDR: no such variable, ignored"));
}

TEST(Load, FilesThatAreWrongNameLineAndKey) {
  struct Case {
    const char* text;
    std::vector<std::string> errors;
  };
  const Case cases[] = {
      {"\nmax-inflght = 3\nmax-queued = 'x'\n",
       {"shoal.toml:2: max-inflght: no such key; did you mean max-inflight?",
        "shoal.toml:3: max-queued: expected a number from 1 to 4294967295, got \"x\""}},
      {"max-queued = [1, 2]", {"shoal.toml:1: max-queued: expected one value, got a list"}},
      {"max-queued = 1.5",
       {"shoal.toml:1: max-queued: expected a number from 1 to 4294967295, got \"1.5\""}},
      {"max-queued = -1",
       {"shoal.toml:1: max-queued: expected a number from 1 to 4294967295, got \"-1\""}},
      {"max-queued = 2026-01-01",
       {"shoal.toml:1: max-queued: expected a number from 1 to 4294967295, got \"2026-01-01\""}},
      {"[limits]\nmax-queued = 1", {"shoal.toml:1: limits: no such key"}},
      {"[zone]\na = 1", {"shoal.toml:1: zone: expected a value, got a table"}},
      {"mqtt = [['a:1']]", {"shoal.toml:1: mqtt: expected a list of plain values"}},
      {"mqtt = [{ address = 'a:1' }]", {"shoal.toml:1: mqtt: expected a list of plain values"}},
      {"mqtt = 1883",
       {"shoal.toml:1: mqtt: expected HOST:PORT such as 127.0.0.1:1883 or [::1]:1883, got "
        "\"1883\""}},
      {"config = 'other.toml'", {"shoal.toml:1: config: no such key"}},
      {"listener = 'a:1'", {"shoal.toml:1: listener: expected a table headed [[listener]]"}},
      {"[listener]\naddress = 'a:1'",
       {"shoal.toml:1: listener: expected a table headed [[listener]]"}},
      {"[[listeners]]\naddress = 'a:1'",
       {"shoal.toml:1: listeners: no such key; did you mean listener?"}},
      {"[[listener]]\nadress = 'a:1'\nmqtt = 'a:1'",
       {"shoal.toml:2: adress: no such key of a listener; did you mean address?",
        "shoal.toml:3: mqtt: no such key of a listener"}},
      {"[[listener]]\n", {"shoal.toml:1: listener: address is missing"}},
      {"[[listener]]\naddress = '1883'",
       {"shoal.toml:2: address: expected HOST:PORT such as 127.0.0.1:1883 or [::1]:1883, got "
        "\"1883\""}},
      {"[[listener]]\naddress = 'a:1'\ntype = 'tcp'",
       {"shoal.toml:3: type: expected mqtt, mqtts, ws, wss or mqtt-unix, got \"tcp\""}},
      {"[[listener]]\naddress = 'a:1'\nmax-qos = 3",
       {"shoal.toml:3: max-qos: expected 0, 1 or 2, got \"3\""}},
  };
  for (const auto& [text, errors] : cases) EXPECT_EQ(errors_of(load_file(text)), errors) << text;
}

TEST(Load, BrokenTomlNamesItsLine) {
  for (const char* text : {"a = 1\nb = ", "a = 1\nb", "a = 1\n]", "a = 1\nb = 'x", "a = 1\na = 2",
                           "a = 1\nb = [1, 2", "a = 1\nb = '\x01'"}) {
    const auto errors = errors_of(load_file(text));
    ASSERT_EQ(errors.size(), 1u) << text;
    EXPECT_THAT(errors[0], HasSubstr("shoal.toml:2: ")) << text;
  }
  EXPECT_EQ(errors_of(load_file("a = 1\n\xff\xfe = 1")).size(), 1u);
  std::string deep = "a = 1\nb = ";
  deep.append(100'000, '[');
  EXPECT_EQ(errors_of(load_file(deep)).size(), 1u);
}

TEST(Load, HelpNeedsNothingElseToBeRight) {
  const Loaded loaded = load({"--help", "--max-inflight", "x"}, {{"SHOAL_EXPECT", "x"}});
  EXPECT_TRUE(loaded.wants_help);
  EXPECT_THAT(loaded.findings.all(), IsEmpty());
}

}  // namespace
}  // namespace shoal
