// The decoder's table of malformed packets, through a whole broker: each is answered with the reason
// code that the standard names, costs its own connection, and no other one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"
#include "tests/codec/malformed_packets.h"
#include "tests/codec/malformed_properties.h"
#include "tests/codec/unfinished_packets.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;

class MalformedTest : public ::testing::Test {
 protected:
  MalformedTest() { cluster.checks = false; }

  // Ready for what is to be sent in `phase`.
  TestClient& client_in(Phase phase, ProtocolVersion version) {
    if (phase == Phase::kFirst) return cluster.accept(0, version);
    return cluster.connect(0, {.client_id = "c", .version = version, .keep_alive_s = 5});
  }
  void expect_others_are_served() {
    cluster.send(other, PingReq{});
    EXPECT_THAT(other.take(), ElementsAre("PINGRESP"));
  }
  std::vector<std::string> answer_to(const MalformedCase& row) {
    const auto code = "0x" + hex_of({static_cast<uint8_t>(row.reason)});
    std::string lower = code;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    switch (row.answer) {
      case Answer::kConnAck: return {"CONNACK " + lower};
      case Answer::kDisconnect: return {"DISCONNECT " + lower};
      case Answer::kNothing: break;
    }
    return {};
  }
  void expect_refused(const std::vector<MalformedCase>& rows) {
    for (const MalformedCase& row : rows) {
      SCOPED_TRACE(row.name + " (version " + std::to_string(static_cast<int>(row.version)) +
                   "): " + hex_of(row.bytes));
      TestClient& client = client_in(row.phase, row.version);
      Bytes sent = row.bytes;
      encode_to(sent, PingReq{}, row.version);  // not looked at
      cluster.send_bytes(client, sent);
      EXPECT_TRUE(client.closed);
      if (row.answer_as) client.version = *row.answer_as;
      EXPECT_EQ(client.take(), answer_to(row));
      expect_others_are_served();
    }
    cluster.broker(0).check_invariants();
    EXPECT_EQ(cluster.counters(0).protocol_errors, rows.size());
    EXPECT_EQ(cluster.counters(0).connections_now, 1u);
  }

  TestCluster cluster;
  TestClient& other = cluster.connect(0, "other");
};

// [MQTT5-4.13.1-1] [MQTT5-4.13.2-1] [MQTT5-3.1.4-1] [MQTT5-3.1.4-6] [MQTT311-4.8.0-1] [MQTT311-3.1.4-1]
// and the statements that the rows name.
TEST_F(MalformedTest, PacketsByHand) { expect_refused(malformed_packets()); }

TEST_F(MalformedTest, EveryPropertyInEveryPacket) { expect_refused(malformed_properties()); }

TEST_F(MalformedTest, WhatIsNeverFinishedIsGivenUp) {
  struct Waiting {
    std::string name;
    TestClient* client;
  };
  std::vector<Waiting> waiting;
  for (const UnfinishedCase& row : unfinished_packets()) {
    TestClient& client =
        row.phase == Phase::kFirst
            ? cluster.accept(0, row.version)
            : cluster.connect(0,
                              {.client_id = row.name, .version = row.version, .keep_alive_s = 5});
    cluster.send_bytes(client, row.bytes);
    waiting.push_back({row.name, &client});
  }
  cluster.advance(Duration::seconds(7));
  for (const Waiting& row : waiting) EXPECT_FALSE(row.client->closed) << row.name;
  expect_others_are_served();
  cluster.advance(Duration::seconds(4));
  for (const Waiting& row : waiting) EXPECT_TRUE(row.client->closed) << row.name;
  expect_others_are_served();
  cluster.broker(0).check_invariants();
}

}  // namespace
}  // namespace shoal::test
