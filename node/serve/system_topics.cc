#include "node/serve/system_topics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <utility>

#include "node/cli/version.h"

namespace shoal {
namespace {

constexpr std::string_view kBroker = "$SYS/broker/";
constexpr std::string_view kNodes = "$SYS/nodes/";

std::string broker_topic(std::string_view name) { return std::string(kBroker) + std::string(name); }

// A node's name as one level of a topic name.
std::string level_of(std::string name) {
  for (char& c : name) {
    if (c == '/' || c == '+' || c == '#') c = '_';
  }
  return name;
}

template <size_t N>
uint64_t sum_of(const std::array<uint64_t, N>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), uint64_t{0});
}

std::string two_decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

}  // namespace

void SystemLoad::add(uint64_t total, Duration elapsed) {
  const double minutes = static_cast<double>(elapsed.ns) / 60e9;
  if (minutes <= 0) return;
  const double rate = static_cast<double>(total - std::exchange(total_, total)) / minutes;
  for (size_t i = 0; i < kMinutes.size(); ++i) {
    const double kept = std::exp(-minutes / kMinutes[i]);
    averages_[i] = rate + kept * (averages_[i] - rate);
  }
}

void SystemTopics::note_clients(uint64_t connected) {
  clients_max_ = std::max(clients_max_, connected);
}

std::vector<SystemMessage> SystemTopics::update(const SystemFigures& figures) {
  now_.clear();
  add_broker(figures);
  add_traffic(figures.broker);
  add_loads(figures);
  add_nodes(figures.hub);

  std::vector<SystemMessage> changes;
  for (const auto& [topic, payload] : now_) {
    const auto told = told_.find(topic);
    if (told == told_.end() || told->second != payload) changes.push_back({topic, payload});
  }
  for (const auto& [topic, payload] : told_) {
    if (!now_.contains(topic)) changes.push_back({topic, {}});
  }
  std::swap(now_, told_);
  return changes;
}

void SystemTopics::add_broker(const SystemFigures& figures) {
  const BrokerCounters& broker = figures.broker;
  note_clients(broker.connected_now);
  resident_max_ = std::max(resident_max_, figures.resident_bytes);
  uint64_t stored = broker.queued_now + figures.hub.retained;
  uint64_t absent = 0, expired = 0;
  for (const ShardStatus& each : figures.hub.shards) {
    if (!each.is_leader) continue;
    stored += each.queued;
    absent += each.sessions - each.attached;
    expired += each.expired;
  }
  add(broker_topic("version"), "shoal version " + std::string(kVersion));
  add(broker_topic("uptime"), std::to_string(figures.uptime.to_seconds()) + " seconds");
  add(broker_topic("clients/connected"), broker.connected_now);
  add(broker_topic("clients/active"), broker.connected_now);
  add(broker_topic("clients/disconnected"), absent);
  add(broker_topic("clients/inactive"), absent);
  add(broker_topic("clients/total"), broker.connected_now + absent);
  add(broker_topic("clients/maximum"), clients_max_);
  add(broker_topic("clients/expired"), expired);
  add(broker_topic("subscriptions/count"), broker.subscriptions_now);
  add(broker_topic("retained messages/count"), figures.hub.retained);
  add(broker_topic("messages/stored"), stored);
  add(broker_topic("store/messages/count"), stored);
  add(broker_topic("store/messages/bytes"), broker.queued_bytes_now + figures.hub.retained_bytes);
  add(broker_topic("heap/current"), figures.resident_bytes);
  add(broker_topic("heap/maximum"), resident_max_);
}

void SystemTopics::add_traffic(const BrokerCounters& broker) {
  add(broker_topic("messages/received"), broker.packets_in);
  add(broker_topic("messages/sent"), broker.packets_out);
  add(broker_topic("publish/messages/received"), sum_of(broker.publishes_in));
  add(broker_topic("publish/messages/sent"), sum_of(broker.publishes_out));
  add(broker_topic("publish/messages/dropped"), sum_of(broker.dropped));
  add(broker_topic("publish/bytes/received"), broker.payload_bytes_in);
  add(broker_topic("publish/bytes/sent"), broker.payload_bytes_out);
  add(broker_topic("bytes/received"), broker.bytes_in);
  add(broker_topic("bytes/sent"), broker.bytes_out);
}

void SystemTopics::add_loads(const SystemFigures& figures) {
  const BrokerCounters& broker = figures.broker;
  const Duration elapsed = figures.uptime - std::exchange(last_uptime_, figures.uptime);
  add_load("messages/received", broker.packets_in, elapsed);
  add_load("messages/sent", broker.packets_out, elapsed);
  add_load("publish/received", sum_of(broker.publishes_in), elapsed);
  add_load("publish/sent", sum_of(broker.publishes_out), elapsed);
  add_load("publish/dropped", sum_of(broker.dropped), elapsed);
  add_load("bytes/received", broker.bytes_in, elapsed);
  add_load("bytes/sent", broker.bytes_out, elapsed);
  add_load("sockets", broker.accepts, elapsed);
  add_load("connections", broker.connects, elapsed);
}

void SystemTopics::add_load(std::string_view name, uint64_t total, Duration elapsed) {
  SystemLoad& load = loads_[std::string(name)];
  load.add(total, elapsed);
  const std::string topic = broker_topic("load/") + std::string(name) + "/";
  for (size_t i = 0; i < SystemLoad::kMinutes.size(); ++i) {
    add(topic + std::to_string(SystemLoad::kMinutes[i]) + "min", two_decimals(load.over(i)));
  }
}

void SystemTopics::add_nodes(const HubStatus& hub) {
  for (const MemberStatus& member : hub.members) {
    const std::string node = std::string(kNodes) + level_of(member.name) + "/";
    add(node + "state", name_of(member.state));
    add(node + "ready", member.ready ? 1 : 0);
    add(node + "draining", member.draining ? 1 : 0);
    add(node + "clients/connected", member.clients);
    add(node + "publish/messages/received", member.messages_in);
    add(node + "publish/messages/sent", member.messages_out);
  }
}

void SystemTopics::add(std::string topic, std::string payload) {
  now_.insert_or_assign(std::move(topic), std::move(payload));
}

}  // namespace shoal
