#include "node/serve/system_topics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::map<std::string, std::string> by_topic(const std::vector<SystemMessage>& messages) {
  std::map<std::string, std::string> topics;
  for (const SystemMessage& message : messages) topics[message.topic] = message.payload;
  return topics;
}

TEST(SystemTopics, WhatMosquittosUsersKnow) {
  SystemTopics topics;
  SystemFigures figures;
  figures.uptime = Duration::seconds(90);
  figures.resident_bytes = 5000;
  figures.broker.connected_now = 2;
  figures.hub.shards.resize(2);
  figures.hub.shards[0].is_leader = true;
  for (ShardStatus& each : figures.hub.shards) {
    each.sessions = 9;
    each.attached = 6;
    each.expired = 8;
  }
  figures.broker.queued_now = 7;
  figures.broker.queued_bytes_now = 70;
  figures.broker.publishes_in = {1, 2, 3};
  figures.broker.publishes_out = {10, 20, 30};
  figures.broker.packets_in = 40;
  figures.broker.dropped[0] = 4;
  figures.hub.retained = 3;
  figures.hub.retained_bytes = 30;
  topics.note_clients(4);
  auto told = by_topic(topics.update(figures));
  const std::pair<const char*, const char*> rows[] = {
      {"uptime", "90 seconds"},         {"clients/connected", "2"},
      {"clients/total", "5"},           {"clients/disconnected", "3"},
      {"clients/maximum", "4"},         {"clients/expired", "8"},
      {"messages/received", "40"},      {"messages/stored", "10"},
      {"store/messages/bytes", "100"},  {"publish/messages/received", "6"},
      {"publish/messages/sent", "60"},  {"publish/messages/dropped", "4"},
      {"retained messages/count", "3"}, {"heap/current", "5000"},
      {"load/sockets/5min", "0.00"},
  };
  for (const auto& [name, payload] : rows) {
    EXPECT_EQ(told["$SYS/broker/" + std::string(name)], payload) << name;
  }
}

TEST(SystemTopics, OnlyWhatHasChanged) {
  SystemTopics topics;
  SystemFigures figures;
  figures.hub.members.push_back({.name = "a+b", .state = MemberState::kSelf, .ready = true});
  topics.update(figures);
  EXPECT_THAT(topics.update(figures), IsEmpty());
  figures.uptime = Duration::seconds(1);
  EXPECT_THAT(topics.update(figures),
              ElementsAre(SystemMessage{"$SYS/broker/uptime", "1 seconds"}));
  figures.hub.members[0].clients = 7;
  EXPECT_THAT(topics.update(figures),
              ElementsAre(SystemMessage{"$SYS/nodes/a_b/clients/connected", "7"}));
  // A node that is no member any more leaves nothing behind.
  figures.hub.members.clear();
  for (const SystemMessage& message : topics.update(figures)) {
    EXPECT_THAT(message.topic, testing::StartsWith("$SYS/nodes/a_b/"));
    EXPECT_EQ(message.payload, "");
  }
}

TEST(SystemLoad, IsAMovingAverageAMinute) {
  SystemLoad load;
  uint64_t total = 0;
  for (int i = 0; i < 6; ++i) load.add(total += 100, Duration::seconds(10));
  // Ten a second for one minute: 600 x (1 - 1/e), 600 x (1 - e^-1/5), 600 x (1 - e^-1/15).
  EXPECT_NEAR(load.over(0), 379.3, 0.1);
  EXPECT_NEAR(load.over(1), 108.8, 0.1);
  EXPECT_NEAR(load.over(2), 38.7, 0.1);
  for (int i = 0; i < 600; ++i) load.add(total, Duration::seconds(10));
  EXPECT_NEAR(load.over(2), 0, 1);
  load.add(total + 1, Duration{});  // no time, no rate
  EXPECT_NEAR(load.over(2), 0, 1);
}

}  // namespace
}  // namespace shoal
