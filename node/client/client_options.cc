#include "node/client/client_options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "node/codec/topic_check.h"

namespace shoal {
namespace {

const std::map<std::string, ProtocolVersion> kVersions = {
    {"5", ProtocolVersion::kMqtt5},     {"mqttv5", ProtocolVersion::kMqtt5},
    {"311", ProtocolVersion::kMqtt311}, {"mqttv311", ProtocolVersion::kMqtt311},
    {"31", ProtocolVersion::kMqtt31},   {"mqttv31", ProtocolVersion::kMqtt31},
};

// Where CLI11's own types end and ours begin.
struct Raw {
  std::string version = "5";
  int qos = 0;
  std::string user, password;
};

void add_common(CLI::App& app, ClientOptions& options, Raw& raw) {
  app.set_help_flag("--help", "this text");
  app.add_option("-h,--host", options.target.host, "the broker's host")->capture_default_str();
  app.add_option("-p,--port", options.target.port, "its port")->capture_default_str();
  app.add_option("-V,--protocol-version", raw.version, "5, 311 or 31")->capture_default_str();
  app.add_option("-i,--id", options.client_id, "client id; default: a random one");
  app.add_option("-u,--username", raw.user, "user name");
  app.add_option("-P,--pw", raw.password, "password");
  app.add_option("--cafile", options.target.ca_file, "speak TLS, trusting the certificates in FILE")
      ->check(CLI::ExistingFile);
  app.add_option("-q,--qos", raw.qos, "quality of service")->check(CLI::Range(0, 2));
}

std::optional<ClientUsage> finish_common(const CLI::App& app, const Raw& raw,
                                         ClientOptions& options) {
  const auto version = kVersions.find(raw.version);
  if (version == kVersions.end()) {
    return ClientUsage{2, "-V: expected 5, 311 or 31, got \"" + raw.version + "\""};
  }
  options.version = version->second;
  options.qos = static_cast<Qos>(raw.qos);
  if (app.count("-u") != 0) options.user = raw.user;
  if (app.count("-P") != 0) options.password = raw.password;
  if (options.password && !options.user && options.version != ProtocolVersion::kMqtt5) {
    return ClientUsage{2, "-P: MQTT 3 has no password without a user name (-u)"};
  }
  if (app.count("-p") == 0 && !options.target.ca_file.empty()) options.target.port = 8883;
  return std::nullopt;
}

std::optional<ClientUsage> parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return ClientUsage{0, app.help()};
  } catch (const CLI::ParseError& error) {
    return ClientUsage{2, error.what()};
  }
}

std::optional<ClientUsage> read_source(const CLI::App& app, const std::string& message,
                                       const std::string& file, bool lines, bool nothing,
                                       PubOptions& options) {
  const int sources = (app.count("-m") != 0) + (app.count("-f") != 0) + lines + nothing;
  if (sources != 1) return ClientUsage{2, "give one of -m, -f, -l and -n"};
  if (app.count("-m") != 0) {
    options.source = PubOptions::Source::kText;
    options.text = message;
  } else if (app.count("-f") != 0) {
    options.source = PubOptions::Source::kFile;
    options.text = file;
  } else if (lines) {
    options.source = PubOptions::Source::kLines;
  }
  return std::nullopt;
}

}  // namespace

std::variant<PubOptions, ClientUsage> pub_options_of(int argc, const char* const* argv) {
  PubOptions options;
  Raw raw;
  std::string message, file;
  bool lines = false, nothing = false;
  CLI::App app{"Publishes to an MQTT broker.", "shoal pub"};
  add_common(app, options, raw);
  app.add_option("-t,--topic", options.topic, "where to publish")->required();
  app.add_option("-m,--message", message, "the message");
  app.add_option("-f,--file", file, "the message is this file; - for standard input");
  app.add_flag("-l,--stdin-line", lines, "each line of standard input is a message");
  app.add_flag("-n,--null-message", nothing, "an empty message");
  app.add_flag("-r,--retain", options.retain, "the broker keeps it for later subscribers");
  if (auto usage = parse(app, argc, argv)) return *usage;
  if (auto usage = finish_common(app, raw, options)) return *usage;
  if (auto usage = read_source(app, message, file, lines, nothing, options)) return *usage;
  if (const auto wrong = check_topic_name(options.topic)) {
    return ClientUsage{2, "-t " + options.topic + ": " + std::string(*wrong)};
  }
  return options;
}

std::variant<SubOptions, ClientUsage> sub_options_of(int argc, const char* const* argv) {
  SubOptions options;
  Raw raw;
  double patience_s = 0;
  CLI::App app{"Prints what an MQTT broker delivers.", "shoal sub"};
  add_common(app, options, raw);
  app.add_option("-t,--topic", options.filters, "a topic filter; may be given several times")
      ->required()
      ->allow_extra_args(false);
  app.add_option("-C,--count", options.count, "leave after so many messages");
  app.add_option("-W,--timeout", patience_s, "leave after so many seconds")
      ->check(CLI::PositiveNumber);
  app.add_flag("-v,--verbose", options.verbose, "print the topic before each payload");
  if (auto usage = parse(app, argc, argv)) return *usage;
  if (auto usage = finish_common(app, raw, options)) return *usage;
  if (patience_s > 0) options.patience = Duration{static_cast<int64_t>(patience_s * 1e9)};
  for (const std::string& filter : options.filters) {
    if (const auto wrong = check_topic_filter(filter)) {
      return ClientUsage{2, "-t " + filter + ": " + std::string(*wrong)};
    }
  }
  return options;
}

}  // namespace shoal
