// The command line of `shoal bench`.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "node/client/client_options.h"
#include "node/config/address.h"
#include "shoal/types.h"

namespace shoal::bench {

enum class Pattern : uint8_t {
  kPairs,    // publisher i to subscriber i
  kFanOut,   // one publisher to all subscribers
  kFanIn,    // all publishers to one subscriber
  kShared,   // all publishers to a group that shares its subscription
  kIdle,     // connections that do nothing
  kConnect,  // CONNECT, CONNACK, DISCONNECT, over and over
};

struct BenchOptions {
  Pattern pattern = Pattern::kPairs;
  std::string pattern_name;
  std::vector<HostPort> publish_to;      // endpoints, taken in turn
  std::vector<HostPort> subscribe_from;  // likewise
  std::string ca_file;                   // TLS when not empty
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  std::string user, password;
  Qos qos = Qos::k0;
  uint32_t publishers = 100;
  uint32_t subscribers = 100;
  uint32_t topics = 1;          // of each publisher, taken in turn
  uint32_t filters = 0;         // pairs: wildcard filters of each subscriber; 0: its topic alone
  uint32_t clients = 1000;      // of idle and connect
  uint32_t connecting = 50;     // CONNECTs that wait for their CONNACK at once
  uint32_t payload_bytes = 16;  // at least kPayloadMin
  uint32_t window = 20;         // messages of one publisher on their way at once
  uint32_t messages = 0;        // of each publisher, then it ends; 0: until the duration is over
  double rate = 0;  // messages a second, of all publishers; 0: as fast as the window lets
  Duration duration = Duration::seconds(10);
  Duration warm_up = Duration::seconds(2);
  bool durable = false;     // subscribers' sessions outlive their connections
  bool offline = false;     // their connections end before anything is published
  bool pause = false;       // offline: before they come back
  bool subscribed = false;  // idle: each connection has one subscription
  std::vector<int> pids;    // the broker's processes
  bool json = false;
  bool quiet = false;  // no progress
};

// A payload begins with publisher, number and time.
constexpr uint32_t kPayloadMin = 16;

std::variant<BenchOptions, ClientUsage> bench_options_of(int argc, const char* const* argv);

}  // namespace shoal::bench
