#include "node/client/bench/bench_options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "node/config/values.h"

namespace shoal::bench {
namespace {

const std::map<std::string, Pattern> kPatterns = {
    {"pairs", Pattern::kPairs},   {"fan-out", Pattern::kFanOut}, {"fan-in", Pattern::kFanIn},
    {"shared", Pattern::kShared}, {"idle", Pattern::kIdle},      {"connect", Pattern::kConnect}};
const std::map<std::string, ProtocolVersion> kVersions = {{"5", ProtocolVersion::kMqtt5},
                                                          {"311", ProtocolVersion::kMqtt311},
                                                          {"31", ProtocolVersion::kMqtt31}};

struct Raw {
  std::vector<std::string> endpoints{"127.0.0.1:1883"}, publish_to, subscribe_from;
  std::string version = "5", duration = "10s", warm_up = "2s", size = "16";
  int qos = 0;
};

void add_options(CLI::App& app, BenchOptions& options, Raw& raw) {
  app.set_help_flag("--help", "this text");
  app.add_option("pattern", options.pattern_name, "pairs, fan-out, fan-in, shared, idle or connect")
      ->required();
  app.add_option("-e,--endpoint", raw.endpoints, "HOST:PORT,... of the broker")->delimiter(',');
  app.add_option("--publish-to", raw.publish_to, "publishers' endpoints, if others")
      ->delimiter(',');
  app.add_option("--subscribe-from", raw.subscribe_from, "subscribers' endpoints, if others")
      ->delimiter(',');
  app.add_option("--cafile", options.ca_file, "speak TLS, trusting the certificates in FILE")
      ->check(CLI::ExistingFile);
  app.add_option("-V,--protocol-version", raw.version, "5, 311 or 31");
  app.add_option("-u,--username", options.user, "user name");
  app.add_option("-P,--pw", options.password, "password");
  app.add_option("-q,--qos", raw.qos, "of publishes and subscriptions")->check(CLI::Range(0, 2));
  app.add_option("--publishers", options.publishers, "how many; pairs: as many subscribers")
      ->check(CLI::Range(1u, 100'000u));
  app.add_option("--subscribers", options.subscribers, "how many, of fan-out and shared")
      ->check(CLI::Range(1u, 100'000u));
  app.add_option("--topics", options.topics, "of each publisher, taken in turn")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--filters", options.filters,
                 "pairs: wildcard filters of each subscriber, one for each topic of its publisher, "
                 "the rest for none")
      ->check(CLI::Range(1u, 65'535u));
  app.add_option("--clients", options.clients, "connections, of idle and connect")
      ->check(CLI::Range(1u, 10'000'000u));
  app.add_option("--connecting", options.connecting, "connections that are being made at once")
      ->check(CLI::Range(1u, 100'000u));
  app.add_option("--size", raw.size, "of a payload; 16 bytes or more");
  app.add_option("--window", options.window, "messages of one publisher on their way at once")
      ->check(CLI::Range(1u, 60'000u));
  app.add_option("--messages", options.messages,
                 "each publisher ends after so many, and all that is measured with the last of "
                 "them; without warm-up")
      ->check(CLI::Range(1u, 100'000'000u));
  app.add_option("--rate", options.rate,
                 "messages a second of all publishers together; latency then counts from when a "
                 "message was due")
      ->check(CLI::PositiveNumber);
  app.add_option("--duration", raw.duration, "how long is measured");
  app.add_option("--warm-up", raw.warm_up, "how long before that");
  app.add_flag("--durable", options.durable, "subscribers' sessions outlive their connections");
  app.add_flag("--offline", options.offline,
               "durable subscribers are away while messages are published; then they come back, "
               "and what it took to give them all is reported too");
  app.add_flag("--pause", options.pause,
               "offline: wait for a line on standard input before they come back");
  app.add_flag("--subscribed", options.subscribed, "idle connections have a subscription each");
  app.add_option("--pid", options.pids, "the broker's processes: CPU and memory are reported")
      ->delimiter(',');
  app.add_flag("--json", options.json, "the result as one JSON object");
  app.add_flag("--quiet", options.quiet, "no progress");
}

std::optional<ClientUsage> take_endpoints(const std::vector<std::string>& texts, const char* flag,
                                          std::vector<HostPort>& out) {
  for (const std::string& text : texts) {
    const auto endpoint = host_port_of(text);
    if (!endpoint || endpoint->port == 0) {
      return ClientUsage{2, std::string(flag) + ": expected HOST:PORT, got \"" + text + "\""};
    }
    out.push_back(*endpoint);
  }
  return std::nullopt;
}

std::optional<ClientUsage> take_durations(const Raw& raw, BenchOptions& options) {
  const auto duration = duration_of(raw.duration), warm_up = duration_of(raw.warm_up);
  if (!duration || duration->ns <= 0) {
    return ClientUsage{2, "--duration: expected 10s or the like, got \"" + raw.duration + "\""};
  }
  if (!warm_up) {
    return ClientUsage{2, "--warm-up: expected 2s or the like, got \"" + raw.warm_up + "\""};
  }
  options.duration = *duration;
  options.warm_up = *warm_up;
  return std::nullopt;
}

std::optional<ClientUsage> check_topics(const BenchOptions& options) {
  const bool is_pairs = options.pattern == Pattern::kPairs;
  if (options.filters > 0 && !is_pairs) return ClientUsage{2, "--filters: only for pairs"};
  if (options.filters > 0 ? options.filters < options.topics : is_pairs && options.topics > 1) {
    return ClientUsage{2, "--topics: pairs with several need as many --filters or more"};
  }
  return std::nullopt;
}

std::optional<ClientUsage> check_offline(BenchOptions& options) {
  if (options.pause && !options.offline) return ClientUsage{2, "--pause: only with --offline"};
  if (options.offline && options.qos == Qos::k0) {
    return ClientUsage{2, "--offline: nothing is kept at QoS 0, -q 1 or 2 is needed"};
  }
  options.durable = options.durable || options.offline;
  if (options.messages != 0) options.warm_up = {};
  return std::nullopt;
}

std::optional<ClientUsage> finish(const Raw& raw, BenchOptions& options) {
  const auto pattern = kPatterns.find(options.pattern_name);
  if (pattern == kPatterns.end()) {
    return ClientUsage{2, "no pattern \"" + options.pattern_name +
                              "\": pairs, fan-out, fan-in, shared, idle or connect"};
  }
  options.pattern = pattern->second;
  const auto version = kVersions.find(raw.version);
  if (version == kVersions.end()) {
    return ClientUsage{2, "-V: expected 5, 311 or 31, got \"" + raw.version + "\""};
  }
  options.version = version->second;
  options.qos = static_cast<Qos>(raw.qos);
  const auto size = size_of(raw.size);
  if (!size || *size < kPayloadMin || *size > 128 * 1024 * 1024) {
    return ClientUsage{2, "--size: expected 16 bytes to 128MiB, got \"" + raw.size + "\""};
  }
  options.payload_bytes = static_cast<uint32_t>(*size);
  if (auto usage = take_durations(raw, options)) return usage;
  const auto& publish_to = raw.publish_to.empty() ? raw.endpoints : raw.publish_to;
  const auto& subscribe_from = raw.subscribe_from.empty() ? raw.endpoints : raw.subscribe_from;
  if (auto usage = take_endpoints(
          publish_to, raw.publish_to.empty() ? "--endpoint" : "--publish-to", options.publish_to))
    return usage;
  if (auto usage = take_endpoints(subscribe_from,
                                  raw.subscribe_from.empty() ? "--endpoint" : "--subscribe-from",
                                  options.subscribe_from)) {
    return usage;
  }
  if (auto usage = check_topics(options)) return usage;
  if (auto usage = check_offline(options)) return usage;
  if (options.pattern == Pattern::kPairs) options.subscribers = options.publishers;
  if (options.pattern == Pattern::kFanOut) options.publishers = 1;
  if (options.pattern == Pattern::kFanIn) options.subscribers = 1;
  return std::nullopt;
}

}  // namespace

std::variant<BenchOptions, ClientUsage> bench_options_of(int argc, const char* const* argv) {
  BenchOptions options;
  Raw raw;
  CLI::App app{"Loads an MQTT broker, checks every message and measures.", "shoal bench"};
  add_options(app, options, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return ClientUsage{0, app.help()};
  } catch (const CLI::ParseError& error) {
    return ClientUsage{2, error.what()};
  }
  if (auto usage = finish(raw, options)) return *usage;
  return options;
}

}  // namespace shoal::bench
