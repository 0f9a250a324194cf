// CONNECT and its outcomes, authentication, and how connections end.
#include <cstring>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Opening, Outcomes) {
  struct Row {
    const char* what;
    ConnectOptions options;
    std::vector<std::string> told;
  };
  const auto will = [](Qos qos, std::string_view topic) {
    return [=](Connect& c) {
      Will w;
      w.qos = qos;
      w.topic = topic;
      c.will = w;
    };
  };
  const auto takes_four_bytes_with_will = [&](Connect& c) {
    will(Qos::k2, "w")(c);
    c.maximum_packet_size = 4;
  };
  const Row rows[] = {
      {"accepted", {.client_id = "c"}, {"CONNACK 0x00"}},
      {"accepted", {.client_id = "c", .version = k311}, {"CONNACK 0x00"}},
      {"accepted", {.client_id = "c", .version = k31}, {"CONNACK 0x00"}},
      // [MQTT5-3.1.3-5] [MQTT311-3.1.3-5]
      {"23 characters", {.client_id = "0123456789abcdefghijXYZ"}, {"CONNACK 0x00"}},
      // [MQTT5-3.1.3-6] [MQTT5-3.1.3-7]
      {"no name", {.client_id = ""}, {"CONNACK 0x00 assigned"}},
      {"no name", {.client_id = "", .clean_start = false}, {"CONNACK 0x00 assigned"}},
      {"no name", {.client_id = "", .version = k311}, {"CONNACK 0x00"}},  // [MQTT311-3.1.3-6]
      // [MQTT311-3.1.3-8] [MQTT311-3.1.3-9]
      {"no name", {.client_id = "", .version = k311, .clean_start = false}, {"CONNACK 0x85"}},
      {"no name", {.client_id = "", .version = k31}, {"CONNACK 0x85"}},
      // [MQTT5-3.2.2-12]
      {"will QoS", {.client_id = "c", .edit = will(Qos::k2, "w")}, {"CONNACK 0x9b"}},
      // [MQTT311-3.2.2-6]: 3.1.1 has no code for it
      {"will QoS", {.client_id = "c", .version = k311, .edit = will(Qos::k2, "w")}, {}},
      // [MQTT5-3.1.2-24]: what does not fit is not sent
      {"no room", {.client_id = "c", .edit = takes_four_bytes_with_will}, {}},
      {"will topic", {.client_id = "c", .edit = will(Qos::k0, "$SYS/x")}, {"CONNACK 0x90"}},
      {"keep alive", {.client_id = "c", .keep_alive_s = 90}, {"CONNACK 0x00 keepalive=60"}},
      {"keep alive", {.client_id = "c", .keep_alive_s = 30}, {"CONNACK 0x00"}},
      // [MQTT5-3.1.2-28]
      {"response information",
       {.client_id = "c", .edit = [](Connect& c) { c.request_response_information = true; }},
       {"CONNACK 0x00 info=answers/"}},
      {"unknown method",
       {.client_id = "c", .edit = [](Connect& c) { c.authentication_method = "NONE"; }},
       {"CONNACK 0x8c"}},  // [MQTT5-4.12.0-1]
  };
  for (const Row& row : rows) {
    TestCluster::Options options;
    options.config.listeners = {ListenerRules{Qos::k1}};
    options.config.limits.keepalive_max_s = row.what == std::string("keep alive") ? 60 : 0;
    options.config.response_information = "answers/";
    TestCluster cluster(options);
    TestClient& client = cluster.open(0, row.options);
    auto lines = client.take();
    for (std::string& line : lines) {  // [MQTT5-3.2.2-9]
      const size_t at = line.find(" maxqos=1");
      if (at != std::string::npos) line.erase(at, 9);
    }
    EXPECT_EQ(lines, row.told) << row.what;
    // [MQTT5-3.2.2-7] [MQTT311-3.2.2-5] [MQTT5-4.13.2-1]
    const bool accepted = !row.told.empty() && row.told[0].find("0x00") != std::string::npos;
    EXPECT_EQ(client.closed, !accepted) << row.what;
    EXPECT_EQ(cluster.counters(0).connections_now, client.closed ? 0u : 1u);
  }
}

TEST(Opening, AssignedNamesAreUnique) {  // [MQTT5-3.2.2-16]
  TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
  for (int i = 0; i < 400; ++i) cluster.connect(i % 4, "");
  size_t sessions = 0;
  for (size_t i = 0; i < 4; ++i) sessions += cluster.counters(i).sessions_now;
  EXPECT_EQ(sessions, 400u);
}

TEST(Opening, WhatIsNoConnect) {
  struct Row {
    const char* what;
    std::vector<uint8_t> bytes;
    std::vector<std::string> told;
  };
  const Row rows[] = {
      {"PINGREQ first", {0xC0, 0}, {}},  // [MQTT5-3.1.0-1] [MQTT311-3.1.0-1]
      {"AUTH first", {0xF0, 0}, {}},
      {"a reserved type", {0x00, 0}, {}},
      {"another protocol", {0x10, 7, 0, 4, 'H', 'T', 'T', 'P', 9}, {}},  // [MQTT311-3.1.2-1]
      {"a length that never ends", {0x10, 0xFF, 0xFF, 0xFF, 0xFF}, {}},
      {"too large", {0x10, 0x81, 0x80, 0x08, 0, 4, 'M', 'Q', 'T', 'T', 5, 2}, {"CONNACK 0x95"}},
      {"too large", {0x10, 0x81, 0x80, 0x08, 0, 4, 'M', 'Q', 'T', 'T', 4, 2}, {}},
      {"too large", {0x10, 0x81, 0x80, 0x08, 0, 6, 'M', 'Q', 'I', 's', 'd', 'p'}, {}},
      {"too large", {0x20, 0xFF, 0xFF, 0x7F}, {}},
  };
  for (const Row& row : rows) {
    for (const size_t piece : {row.bytes.size(), size_t{1}}) {
      TestCluster cluster;
      TestClient& client = cluster.accept(0);
      for (size_t at = 0; at < row.bytes.size(); at += piece) {
        cluster.send_bytes(client, {row.bytes.begin() + static_cast<ptrdiff_t>(at),
                                    row.bytes.begin() + static_cast<ptrdiff_t>(at + piece)});
      }
      EXPECT_TRUE(client.closed) << row.what;
      EXPECT_EQ(client.take(), row.told) << row.what;
    }
  }
}

TEST(Opening, AConnectMayBeAsLargeAsItsLimit) {
  const std::string will(60'000, 'w');
  for (const auto version : {k311, k5}) {
    Connect packet;
    packet.version = version;
    packet.client_id = "c";
    packet.clean_start = true;
    packet.will.emplace().topic = "t";
    packet.will->payload = bytes_of(will);
    std::vector<uint8_t> bytes;
    encode_to(bytes, packet, version);
    for (const uint32_t above : {0u, 1u}) {
      TestCluster::Options options;
      options.config.limits.connect_size_max = static_cast<uint32_t>(bytes.size()) - above;
      TestCluster cluster(options);
      TestClient& client = cluster.accept(0);
      client.version = version;
      cluster.send_bytes(client, bytes);
      std::vector<std::string> told = {above == 0 ? "CONNACK 0x00" : "CONNACK 0x95"};
      if (above != 0 && version == k311) told.clear();  // which has no code for it
      EXPECT_EQ(client.take(), told);
      EXPECT_EQ(client.closed, above != 0);
    }
  }
}

TEST(Opening, NothingBehindARefusedConnectIsLookedAt) {  // [MQTT5-3.1.4-6] [MQTT311-3.1.4-5]
  TestCluster cluster;
  TestClient& watcher = cluster.connect(0, "watcher");
  cluster.subscribe(watcher, "t", Qos::k0);
  watcher.take();
  cluster.credentials = [](const CredentialCheck&) {
    return CredentialAnswer{
        .outcome = CredentialAnswer::Outcome::kNotAuthorized, .user = {}, .access = nullptr};
  };
  TestClient& client = cluster.accept(0);
  std::vector<uint8_t> bytes;
  Connect connect;
  connect.client_id = "c";
  encode_to(bytes, connect, k5);
  Publish publish;
  publish.topic = "t";
  encode_to(bytes, publish, k5);
  cluster.send_bytes(client, bytes);
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x87"));
  EXPECT_THAT(watcher.take(), IsEmpty());
}

TEST(Opening, ARefusalNeverSaysSessionPresent) {
  // [MQTT5-3.2.2-6] [MQTT311-3.2.2-4] [MQTT5-3.2.2-1] [MQTT5-3.2.2-3] [MQTT311-3.2.2-2]
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    const ConnectOptions options{
        .client_id = "c", .version = version, .clean_start = false, .edit = [](Connect& c) {
          if (c.version == k5) c.session_expiry_s = 100;
        }};
    cluster.lose(cluster.connect(0, options));
    const auto let_in = std::exchange(cluster.credentials, [](const CredentialCheck&) {
      return CredentialAnswer{
          .outcome = CredentialAnswer::Outcome::kNotAuthorized, .user = {}, .access = nullptr};
    });
    TestClient& refused = cluster.open(0, options);
    ASSERT_GE(refused.received.size(), 4u);
    EXPECT_EQ(refused.received[2], 0);  // the acknowledge flags
    EXPECT_THAT(refused.take(), ElementsAre("CONNACK 0x87"));
    cluster.credentials = let_in;
    TestClient& resumed = cluster.open(0, options);
    EXPECT_EQ(resumed.received[2], 1);
    EXPECT_THAT(resumed.take(), ElementsAre("CONNACK 0x00 present"));
  }
}

TEST(Opening, TheReasonStringOfARefusalIsLeftOutIfItDoesNotFit) {  // [MQTT5-3.2.2-19]
  for (const uint32_t room : {5u, 30u}) {
    Broker broker({}, 1);
    const Now now{Instant{1'000'000'000}, 0};
    const ConnId conn = broker.on_accept({}, now);
    Connect packet;
    packet.client_id = "c";
    packet.maximum_packet_size = room;
    std::vector<uint8_t> bytes;
    encode_to(bytes, packet, k5);
    broker.on_bytes(conn, bytes, now);
    broker.on_credentials(conn, {}, now);
    broker.on_mail(ClaimAnswer{.conn = conn,
                               .client_id = "c",
                               .outcome = ClaimAnswer::Outcome::kUnavailable,
                               .stamp = {}},
                   now);
    EXPECT_EQ(broker.output(conn).bytes(), room == 5 ? 5u : 5 + 3 + strlen("not in a cluster"));
  }
}

TEST(Opening, CredentialsDecide) {  // [MQTT5-3.1.4-2]
  using Outcome = CredentialAnswer::Outcome;
  struct Row {
    Outcome outcome;
    const char* is_5;
    const char* is_3;
  };
  const Row rows[] = {
      {Outcome::kBadCredentials, "CONNACK 0x86", "CONNACK 0x86"},
      {Outcome::kNotAuthorized, "CONNACK 0x87", "CONNACK 0x87"},
      {Outcome::kBanned, "CONNACK 0x8a", "CONNACK 0x87"},
      {Outcome::kUnavailable, "CONNACK 0x88", "CONNACK 0x88"},
  };
  for (const Row& row : rows) {
    TestCluster cluster;
    cluster.credentials = [&](const CredentialCheck& check) {
      EXPECT_EQ(check.user_name, "user");
      EXPECT_EQ(check.password, "secret");
      EXPECT_EQ(check.client_id, "c");
      CredentialAnswer answer;
      answer.outcome = row.outcome;
      return answer;
    };
    const auto edit = [](Connect& c) {
      c.user_name = "user";
      c.password = bytes_of("secret");
    };
    EXPECT_THAT(cluster.open(0, {.client_id = "c", .edit = edit}).take(), ElementsAre(row.is_5));
    EXPECT_THAT(cluster.open(0, {.client_id = "c", .version = k311, .edit = edit}).take(),
                ElementsAre(row.is_3));
  }
}

TEST(Opening, ASilentConnectionIsClosed) {
  TestCluster cluster;
  TestClient& silent = cluster.accept(0);
  TestClient& half = cluster.accept(0);
  cluster.send_bytes(half, std::vector<uint8_t>{0x10, 50, 0, 4, 'M'});
  cluster.advance(Duration::seconds(9));
  EXPECT_FALSE(silent.closed);
  cluster.advance(Duration::seconds(2));
  EXPECT_TRUE(silent.closed);
  EXPECT_TRUE(half.closed);
  EXPECT_THAT(half.take(), IsEmpty());
}

// What came before the broker has used up some of the time for CONNECT.
TEST(Opening, TheTimeForConnectBeganBeforeTheArrival) {
  Broker broker({}, 1);
  Instant at{1'000'000'000};
  Arrival arrival;
  arrival.connect_by = at + Duration::seconds(3);
  broker.on_accept(std::move(arrival), {at, 0});
  for (const auto& [seconds, closes] : {std::pair(2, 0u), std::pair(4, 1u)}) {
    broker.on_tick({at + Duration::seconds(seconds), 0});
    EXPECT_EQ(broker.end_turn({at + Duration::seconds(seconds), 0}).closes.size(), closes);
  }
}

TEST(Opening, OneTooManyIsToldSo) {
  Broker broker({}, 1);
  const Now now{Instant{1'000'000'000}, 0};
  Arrival arrival;
  arrival.is_one_too_many = true;
  const ConnId conn = broker.on_accept(std::move(arrival), now);
  Connect packet;
  packet.client_id = "c";
  std::vector<uint8_t> bytes;
  encode_to(bytes, packet, k5);
  broker.on_bytes(conn, bytes, now);
  Effects& effects = broker.end_turn(now);
  EXPECT_TRUE(effects.credential_checks.empty());
  ASSERT_EQ(effects.closes.size(), 1u);
  EXPECT_TRUE(effects.closes[0].after_flush);
  std::span<const uint8_t> told;
  ASSERT_EQ(broker.output(conn).gather({&told, 1}), 1u);
  EXPECT_EQ(describe({told.begin(), told.end()}, k5), "CONNACK 0x97");
}

TEST(Opening, ASecondConnectIsAViolation) {  // [MQTT5-3.1.0-2] [MQTT311-3.1.0-2]
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    TestClient& client = cluster.connect(0, {.client_id = "c", .version = version});
    Connect again;
    again.version = version;
    again.client_id = "c";
    again.clean_start = true;
    cluster.send(client, again);
    EXPECT_TRUE(client.closed);
    if (version == k5) {
      EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x82"));
    } else {
      EXPECT_THAT(client.take(), IsEmpty());  // [MQTT311-4.8.0-1]
    }
  }
}

TEST(Opening, KeepAlive) {  // [MQTT5-3.1.2-22] [MQTT311-3.1.2-24] [MQTT5-3.2.2-22]
  TestCluster cluster;
  TestClient& is_5 = cluster.connect(0, {.client_id = "five", .keep_alive_s = 10});
  TestClient& is_3 =
      cluster.connect(0, {.client_id = "three", .version = k311, .keep_alive_s = 10});
  TestClient& none = cluster.connect(0, "none");
  for (int i = 0; i < 5; ++i) {
    cluster.advance(Duration::seconds(14));
    cluster.send(is_5, PingReq{});
    cluster.send(is_3, PingReq{});
  }
  EXPECT_FALSE(is_5.closed);
  is_5.take();
  is_3.take();
  cluster.advance(Duration::seconds(16));
  EXPECT_THAT(is_5.take(), ElementsAre("DISCONNECT 0x8d"));
  EXPECT_TRUE(is_3.closed);
  EXPECT_THAT(is_3.take(), IsEmpty());
  EXPECT_FALSE(none.closed);
}

TEST(Opening, APacketThatTakesLongToArriveIsALifeSign) {
  TestCluster cluster;
  TestClient& client = cluster.connect(0, {.client_id = "c", .keep_alive_s = 10});
  std::vector<uint8_t> part{0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 't', 0};
  for (int i = 0; i < 5; ++i) {
    cluster.send_bytes(client, part);
    cluster.advance(Duration::seconds(14));
    part.assign(100, 'x');
  }
  EXPECT_FALSE(client.closed);
  cluster.advance(Duration::seconds(2));  // and now nothing comes any more
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x8d"));
}

TEST(Opening, ClientIdsAreOnlyAssignedWhereThatIsAllowed) {  // [MQTT5-3.1.3-8] [MQTT311-3.1.3-9]
  TestCluster::Options options;
  options.config.assign_client_ids = false;
  TestCluster cluster(options);
  for (const auto version : {k31, k311, k5}) {
    TestClient& client = cluster.open(0, {.client_id = "", .version = version});
    EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x85"));
    EXPECT_TRUE(client.closed);
  }
}

TEST(Opening, ShutDownAndKick) {
  TestCluster cluster;
  TestClient& kicked = cluster.connect(0, "kicked");
  TestClient& is_5 = cluster.connect(0, "five");
  TestClient& is_3 = cluster.connect(0, {.client_id = "three", .version = k311});
  TestClient& half = cluster.accept(0);
  cluster.on_broker(0, [&](Broker& b) { EXPECT_TRUE(b.kick("kicked", cluster.now())); });
  cluster.on_broker(0, [&](Broker& b) { EXPECT_FALSE(b.kick("nobody", cluster.now())); });
  EXPECT_THAT(kicked.take(), ElementsAre("DISCONNECT 0x98"));
  cluster.on_broker(0, [&](Broker& b) { b.shut_down(cluster.now()); });
  EXPECT_THAT(is_5.take(), ElementsAre("DISCONNECT 0x8b"));
  EXPECT_TRUE(is_3.closed);
  EXPECT_TRUE(half.closed);
  EXPECT_THAT(cluster.open(0, {.client_id = "late"}).take(), ElementsAre("CONNACK 0x88"));
}

TEST(Opening, AClientThatDoesNotReadItsEndIsCutOff) {
  Broker broker({}, 1);
  Now now{Instant{1'000'000'000}, 0};
  const ConnId conn = broker.on_accept({}, now);
  broker.on_bytes(conn, std::vector<uint8_t>{0xC0, 0}, now);
  broker.end_turn(now);
  for (int i = 0; i < 110; ++i) {
    now.mono = now.mono + Broker::kTick;
    broker.on_tick(now);
    Effects& effects = broker.end_turn(now);
    if (effects.closes.empty()) continue;
    EXPECT_FALSE(effects.closes[0].after_flush);
    EXPECT_GE(i, 98);
    broker.on_closed(conn, now);
    EXPECT_EQ(broker.counters().connections_now, 0u);
    return;
  }
  FAIL() << "never closed";
}

}  // namespace
}  // namespace shoal::test
