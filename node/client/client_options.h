// The command lines of `shoal pub` and `shoal sub`: mosquitto_pub's and mosquitto_sub's letters.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "node/client/link.h"
#include "shoal/types.h"

namespace shoal {

struct ClientOptions {
  LinkTarget target;
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  std::string client_id;  // empty: a random one
  std::optional<std::string> user, password;
  Qos qos = Qos::k0;
};

struct PubOptions : ClientOptions {
  enum class Source : uint8_t { kText, kFile, kLines, kNothing };
  std::string topic;
  Source source = Source::kNothing;
  std::string text;  // the message, or the file's path ("-": all of standard input)
  bool retain = false;
};

struct SubOptions : ClientOptions {
  std::vector<std::string> filters;
  uint64_t count = 0;                // leave after so many messages; 0: none
  std::optional<Duration> patience;  // leave after so long
  bool verbose = false;              // the topic before each payload
};

// Exit status and what to print instead of running: help (0) or a mistake (2).
struct ClientUsage {
  int status = 2;
  std::string text;
};

std::variant<PubOptions, ClientUsage> pub_options_of(int argc, const char* const* argv);
std::variant<SubOptions, ClientUsage> sub_options_of(int argc, const char* const* argv);

}  // namespace shoal
