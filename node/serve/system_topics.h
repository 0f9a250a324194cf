// The $SYS topics: what a node tells its own clients of itself, under the names that mosquitto's users
// know, and of the cluster's nodes as it sees them. docs/system-topics.md lists them. Figures go in,
// messages come out; who publishes them is not known here.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/hub_status.h"
#include "node/broker/counters.h"
#include "shoal/types.h"

namespace shoal {

struct SystemFigures {
  BrokerCounters broker;  // all workers together
  HubStatus hub;
  Duration uptime;
  uint64_t resident_bytes = 0;
};

struct SystemMessage {
  std::string topic;
  std::string payload;  // empty: the topic is no more
  bool operator==(const SystemMessage&) const = default;
};

// What happened in a minute, as moving averages over the last 1, 5 and 15 minutes.
class SystemLoad {
 public:
  static constexpr std::array<int, 3> kMinutes = {1, 5, 15};

  // `total` has grown to this since the last call, `elapsed` ago.
  void add(uint64_t total, Duration elapsed);
  double over(size_t i) const { return averages_[i]; }

 private:
  uint64_t total_ = 0;
  std::array<double, 3> averages_{};
};

class SystemTopics {
 public:
  // What is to be published now: what has changed since the last call.
  std::vector<SystemMessage> update(const SystemFigures& figures);
  // Between the updates, so that a maximum that is soon over is not missed.
  void note_clients(uint64_t connected);

 private:
  void add_broker(const SystemFigures& figures);
  void add_traffic(const BrokerCounters& broker);
  void add_loads(const SystemFigures& figures);
  void add_load(std::string_view name, uint64_t total, Duration elapsed);
  void add_nodes(const HubStatus& hub);
  void add(std::string topic, std::string payload);
  void add(std::string topic, uint64_t number) { add(std::move(topic), std::to_string(number)); }

  std::map<std::string, std::string> now_;   // by topic
  std::map<std::string, std::string> told_;  // at the last update
  std::map<std::string, SystemLoad, std::less<>> loads_;
  uint64_t clients_max_ = 0;
  uint64_t resident_max_ = 0;
  Duration last_uptime_;
};

}  // namespace shoal
