// Single statements of the standard that no other test of the broker shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<uint8_t> subscription_list(std::initializer_list<SubscriptionRequest> requests) {
  std::vector<uint8_t> list;
  for (const SubscriptionRequest& request : requests) append_subscription(request, list);
  return list;
}

// ---- identifiers -----------------------------------------------------------------------------------

TEST(Statement, AnswersCarryTheIdentifierOfTheirRequest) {
  // [MQTT5-2.2.1-5] [MQTT5-2.2.1-6] [MQTT5-3.8.4-2] [MQTT5-3.10.4-5] [MQTT5-3.3.4-1] [MQTT5-4.3.3-8]
  // [MQTT5-4.3.3-11] [MQTT311-2.3.1-6] [MQTT311-2.3.1-7] [MQTT311-3.8.4-2] [MQTT311-3.10.4-4]
  // [MQTT311-3.3.4-1] [MQTT5-3.8.4-1] [MQTT311-3.8.4-1] [MQTT5-3.10.4-4]
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    TestClient& client = cluster.connect(0, {.client_id = "c", .version = version});
    for (const uint16_t id : {1, 255, 256, 65535}) {
      cluster.publish(client, "t", "m", Qos::k0);
      cluster.publish(client, "t", "m", Qos::k1, id);
      cluster.publish(client, "t", "m", Qos::k2, id);
      cluster.ack(client, PacketType::kPubRel, id);
      cluster.subscribe(client, "x", Qos::k0, id);
      cluster.unsubscribe(client, "x", id);
      const std::string n = std::to_string(id);
      EXPECT_THAT(client.take(),
                  ElementsAre("PUBACK " + n, "PUBREC " + n, "PUBCOMP " + n, "SUBACK " + n + " 0x00",
                              "UNSUBACK " + n + (version == k5 ? " 0x00" : "")));
    }
  }
}

// ---- SUBSCRIBE and UNSUBSCRIBE ------------------------------------------------------------------------

TEST(Statement, SeveralFiltersAreSeveralSubscriptionsAndOneSuback) {
  // [MQTT5-3.8.4-5] [MQTT5-3.8.4-6] [MQTT5-3.8.4-7] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5]
  // [MQTT5-3.9.3-1] [MQTT311-3.9.3-1]
  TestCluster cluster;
  TestClient& client = cluster.connect(0, "c");
  const auto list = subscription_list({{.filter = "a", .qos = Qos::k2},
                                       {.filter = "b", .qos = Qos::k0},
                                       {.filter = "a", .qos = Qos::k1}});
  Subscribe packet;
  packet.packet_id = 4;
  packet.subscriptions = SubscriptionList::of_valid(list);
  cluster.send(client, packet);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 4 0x02 0x00 0x01"));
  EXPECT_EQ(cluster.counters(0).subscriptions_now, 2u);
  cluster.publish(client, "a", "m", Qos::k2, 1);
  EXPECT_THAT(client.take(), ElementsAre("PUBLISH a m q1 id1", "PUBREC 1"));  // [MQTT5-3.8.4-3]
}

TEST(Statement, TooManySubscriptionsAreRefused) {
  TestCluster::Options options;
  options.config.limits.subscriptions_max = 1;
  TestCluster cluster(options);
  TestClient& client = cluster.connect(0, "c");
  cluster.subscribe(client, "a", Qos::k0, 1);
  cluster.subscribe(client, "b", Qos::k0, 2);
  cluster.subscribe(client, "a", Qos::k1, 3);  // not one more [MQTT5-3.8.4-3]
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x00", "SUBACK 2 0x97", "SUBACK 3 0x01"));
}

TEST(Statement,
     AListenerThatGrantsLessStillTakesEverySubscribe) {  // [MQTT5-3.2.2-9] [MQTT5-3.2.2-10]
  TestCluster::Options options;
  options.config.listeners = {ListenerRules{Qos::k1}};
  TestCluster cluster(options);
  TestClient& client = cluster.connect(0, "c");
  cluster.subscribe(client, "t", Qos::k2);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x01"));
  cluster.publish(client, "t", "m", Qos::k2, 1);
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x9b"));
}

TEST(Statement, UnsubscribeDeletesWhatIsEqualAndFinishesWhatBegan) {
  // [MQTT5-3.10.4-1] [MQTT5-3.10.4-2] [MQTT5-3.10.4-3] [MQTT5-3.10.4-6] [MQTT5-3.11.3-1]
  // [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] [MQTT311-3.10.4-3] [MQTT311-3.10.4-5] [MQTT311-3.10.4-6]
  for (const size_t where : {0u, 1u}) {
    TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
    TestClient& publisher = cluster.connect(where, "publisher");
    TestClient& client =
        cluster.connect(0, {.client_id = "c", .edit = [](Connect& c) { c.receive_maximum = 1; }});
    cluster.subscribe(client, "a/+", Qos::k2);
    client.take();
    cluster.publish(publisher, "a/b", "1", Qos::k2, 1);
    cluster.publish(publisher, "a/b", "2", Qos::k1, 2);
    std::vector<uint8_t> list;
    for (const char* filter : {"a/b", "a/+", "A/+"}) append_filter(filter, list);
    Unsubscribe packet;
    packet.packet_id = 9;
    packet.filters = FilterList::of_valid(list);
    cluster.send(client, packet);
    EXPECT_THAT(client.take(), ElementsAre("PUBLISH a/b 1 q2 id1", "UNSUBACK 9 0x11 0x00 0x11"));
    cluster.publish(publisher, "a/b", "3", Qos::k1, 3);
    cluster.ack(client, PacketType::kPubRec, 1);
    cluster.ack(client, PacketType::kPubComp, 1);
    EXPECT_THAT(client.take(), ElementsAre("PUBREL 1", "PUBLISH a/b 2 q1 id2"));
    cluster.ack(client, PacketType::kPubAck, 2);
    EXPECT_THAT(client.take(), IsEmpty());
  }
}

TEST(Statement, OverlappingSubscriptionsAreOneCopyAtTheHighestQos) {
  // [MQTT5-3.3.4-2] [MQTT5-3.3.4-5] [MQTT311-3.3.5-1]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const size_t where : {0u, 1u}) {
    TestClient& client =
        cluster.connect(where, {.client_id = "c" + std::to_string(where), .version = k311});
    cluster.subscribe(client, "a/+", Qos::k0);
    cluster.subscribe(client, "a/#", Qos::k2);
    cluster.subscribe(client, "a/b", Qos::k1);
    client.take();
    cluster.publish(publisher, "a/b", "m", Qos::k2, static_cast<uint16_t>(where + 1));
    EXPECT_THAT(client.take(), ElementsAre("PUBLISH a/b m q2 id1"));
    cluster.publish(publisher, "b", "m", Qos::k0);  // [MQTT5-3.3.2-3] [MQTT311-3.3.2-3]
    EXPECT_THAT(client.take(), IsEmpty());
  }
}

// ---- delivery ----------------------------------------------------------------------------------------

TEST(Statement, DupIsOurOwn) {
  // [MQTT5-3.3.1-2] [MQTT5-3.3.1-3] [MQTT5-4.3.1-1] [MQTT5-4.3.2-2] [MQTT5-4.3.3-2] [MQTT311-3.3.1-2]
  // [MQTT311-3.3.1-3] [MQTT311-4.3.1-1] [MQTT311-4.3.2-1]
  TestCluster cluster({.nodes = 2, .workers = 1, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (const size_t where : {0u, 1u}) {
    TestClient& client = cluster.connect(where, "c" + std::to_string(where));
    cluster.subscribe(client, "t", Qos::k2);
    client.take();
    cluster.publish(publisher, "t", "0", Qos::k0);
    for (uint16_t i = 1; i <= 2; ++i) {
      cluster.publish(publisher, "t", "m", static_cast<Qos>(i),
                      static_cast<uint16_t>(10 * where + i), [](Publish& p) { p.dup = true; });
    }
    EXPECT_THAT(client.take(),
                ElementsAre("PUBLISH t 0", "PUBLISH t m q1 id1", "PUBLISH t m q2 id2"));
  }
}

TEST(Statement, AMessageThatWasSentDoesNotExpire) {
  // [MQTT5-4.3.3-7] [MQTT5-4.3.3-13] [MQTT5-4.3.2-3] [MQTT5-4.3.3-3] [MQTT5-4.3.3-4]
  // [MQTT5-4.3.3-6] [MQTT311-4.3.3-1]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& first = cluster.connect(0, durable("c", k5));
  cluster.subscribe(first, "t", Qos::k2);
  cluster.publish(publisher, "t", "m", Qos::k2, 1, [](Publish& p) { p.message_expiry_s = 1; });
  cluster.lose(first);
  cluster.advance(Duration::seconds(5));
  TestClient& again = cluster.connect(0, durable("c", k5));
  std::vector<uint16_t> ids;
  EXPECT_THAT(take(again, &ids), ElementsAre("PUBLISH t m q2 dup expiry=0"));
  cluster.ack(again, PacketType::kPubRec, ids[0]);
  cluster.ack(again, PacketType::kPubRec, ids[0]);
  EXPECT_THAT(take(again), ElementsAre("PUBREL", "PUBREL"));  // never the PUBLISH again
  cluster.ack(again, PacketType::kPubComp, ids[0]);
  cluster.lose(again);
  EXPECT_THAT(cluster.connect(0, durable("c", k5)).take(), IsEmpty());
}

TEST(Statement, AnErrorCodeFromTheClientEndsTheDelivery) {  // [MQTT5-4.4.0-2]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& client = cluster.connect(0, durable("c", k5));
  cluster.subscribe(client, "t", Qos::k2);
  cluster.publish(publisher, "t", "1", Qos::k1, 1);
  cluster.publish(publisher, "t", "2", Qos::k2, 2);
  std::vector<uint16_t> ids;
  take(client, &ids);
  cluster.ack(client, PacketType::kPubAck, ids[0], ReasonCode::kUnspecifiedError);
  cluster.ack(client, PacketType::kPubRec, ids[1], ReasonCode::kUnspecifiedError);
  cluster.lose(client);
  EXPECT_THAT(cluster.connect(0, durable("c", k5)).take(), IsEmpty());
}

TEST(Statement, EverySessionThatMatchesGetsTheMessage) {
  // [MQTT5-4.5.0-1] [MQTT311-4.5.0-1] [MQTT5-3.1.2-23] [MQTT311-4.1.0-1] [MQTT5-4.1.0-1]
  TestCluster cluster({.nodes = 3, .workers = 2, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  for (size_t i = 0; i < 6; ++i) {
    for (const auto version : {k311, k5}) {
      const std::string name = std::to_string(i) + (version == k5 ? "five" : "three");
      TestClient& client = cluster.connect(i, durable(name, version));
      cluster.subscribe(client, "t/#", Qos::k2);
      cluster.lose(client);
    }
  }
  cluster.publish(publisher, "t/1", "m", Qos::k1, 1);
  for (size_t i = 0; i < 6; ++i) {
    for (const auto version : {k311, k5}) {
      const std::string name = std::to_string(i) + (version == k5 ? "five" : "three");
      EXPECT_THAT(take(cluster.connect(i, durable(name, version))),
                  ElementsAre("PUBLISH t/1 m q1"));
    }
  }
}

TEST(Statement, OrderIsKept) {
  // [MQTT5-4.6.0-5] [MQTT5-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6]
  TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
  TestClient& publisher = cluster.connect(0, "publisher");
  std::vector<TestClient*> clients;
  for (size_t i = 0; i < 4; ++i) {
    clients.push_back(&cluster.connect(i, {.client_id = "c" + std::to_string(i),
                                           .edit = [](Connect& c) { c.receive_maximum = 3; }}));
    cluster.subscribe(*clients.back(), "t", Qos::k1);
    clients.back()->take();
  }
  for (uint16_t i = 1; i <= 50; ++i) {
    cluster.publish(publisher, "t", std::to_string(i), Qos::k1, i);
  }
  for (TestClient* client : clients) {
    for (uint16_t i = 1; i <= 50; ++i) cluster.ack(*client, PacketType::kPubAck, i);
    const auto lines = client->take();
    ASSERT_EQ(lines.size(), 50u);
    for (size_t i = 0; i < 50; ++i) {
      const std::string n = std::to_string(i + 1);
      EXPECT_EQ(lines[i], "PUBLISH t " + n + " q1 id" + n);
    }
  }
}

// ---- sessions ---------------------------------------------------------------------------------------------

TEST(Statement, OneConnackAndFirst) {
  // [MQTT5-3.2.0-1] [MQTT5-3.2.0-2] [MQTT5-3.1.4-5] [MQTT311-3.1.4-4] [MQTT5-3.1.4-4] [MQTT311-3.2.0-1]
  // [MQTT311-3.1.4-3] [MQTT311-3.1.3-2]
  for (const auto version : {k311, k5}) {
    TestCluster cluster;
    TestClient& publisher = cluster.connect(0, "publisher");
    TestClient& first = cluster.connect(0, durable("c", version));
    cluster.subscribe(first, "t", Qos::k1);
    cluster.publish(publisher, "t", "m", Qos::k1, 1);
    cluster.lose(first);
    TestClient& again = cluster.open(0, durable("c", version));
    cluster.publish(publisher, "t", "n", Qos::k1, 2);
    EXPECT_THAT(take(again),
                ElementsAre("CONNACK 0x00 present", "PUBLISH t m q1 dup", "PUBLISH t n q1"));
    TestClient& anew = cluster.open(0, {.client_id = "c", .version = version});
    EXPECT_THAT(anew.take(), ElementsAre("CONNACK 0x00"));
  }
}

TEST(Statement, RetainedMessagesOutliveSessionsAndAreNeverEmpty) {
  // [MQTT311-3.1.2-7] [MQTT5-3.3.1-7] [MQTT311-3.3.1-11]
  TestCluster cluster;
  TestClient& publisher = cluster.connect(0, {.client_id = "p", .version = k311});
  const auto retain = [](Publish& p) { p.retain = true; };
  cluster.publish(publisher, "kept", "m", Qos::k1, 1, retain);
  cluster.publish(publisher, "never", "", Qos::k1, 2, retain);
  cluster.send(publisher, Disconnect{});
  TestClient& client = cluster.connect(0, "c");
  cluster.subscribe(client, "#", Qos::k0);
  EXPECT_THAT(client.take(), ElementsAre("SUBACK 1 0x00", "PUBLISH kept m retain"));
}

TEST(Statement, NothingIsLookedAtBehindDisconnect) {  // [MQTT311-3.14.4-2] [MQTT311-4.1.0-2]
  TestCluster cluster;
  TestClient& watcher = cluster.connect(0, "watcher");
  cluster.subscribe(watcher, "t", Qos::k0);
  watcher.take();
  TestClient& client = cluster.connect(0, {.client_id = "c", .version = k311});
  std::vector<uint8_t> bytes;
  encode_to(bytes, Disconnect{}, k311);
  Publish publish;
  publish.topic = "t";
  encode_to(bytes, publish, k311);
  cluster.send_bytes(client, bytes);
  EXPECT_TRUE(client.closed);
  EXPECT_THAT(watcher.take(), IsEmpty());
}

TEST(Statement, APayloadThatIsNotTheTextItClaimsToBe) {
  for (const auto qos : {Qos::k0, Qos::k1, Qos::k2}) {
    TestCluster cluster;
    TestClient& client = cluster.connect(0, "c");
    const auto text = [](Publish& p) { p.application.payload_format = 1; };
    cluster.publish(client, "t", "\xFF\xFE", qos, qos == Qos::k0 ? 0 : 1, text);
    const char* const told[] = {"DISCONNECT 0x99", "PUBACK 1 0x99", "PUBREC 1 0x99"};
    EXPECT_THAT(client.take(), ElementsAre(told[static_cast<int>(qos)]));
  }
  TestCluster cluster;
  TestClient& client = cluster.open(0, {.client_id = "c", .edit = [](Connect& c) {
                                          c.will.emplace().topic = "t";
                                          c.will->payload = bytes_of("\xFF");
                                          c.will->application.payload_format = 1;
                                        }});
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x99"));
}

TEST(Statement, AnIdentifierInUseForAnotherQos) {
  for (const bool lease : {true, false}) {
    for (const auto first : {Qos::k1, Qos::k2}) {
      if (lease && first == Qos::k1) continue;  // free again at once
      TestCluster cluster;
      TestClient& is_5 = cluster.connect(0, "five");
      TestClient& is_3 = cluster.connect(0, {.client_id = "three", .version = k311});
      cluster.set_lease(lease);
      const auto second = first == Qos::k1 ? Qos::k2 : Qos::k1;
      for (TestClient* client : {&is_5, &is_3}) {
        cluster.publish(*client, "t", "m", first, 1);
        client->take();
        cluster.publish(*client, "t", "m", second, 1);
      }
      EXPECT_THAT(is_5.take(), ElementsAre(second == Qos::k1 ? "PUBACK 1 0x91" : "PUBREC 1 0x91"));
      // A 3.x client that has lost its state: the message counts.
      cluster.set_lease(true);
      EXPECT_THAT(is_3.take(), ::testing::Contains(second == Qos::k1 ? "PUBACK 1" : "PUBREC 1"));
    }
  }
}

}  // namespace
}  // namespace shoal::test
