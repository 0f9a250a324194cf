// Who may do what, and enhanced authentication.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;

// ---- rights ---------------------------------------------------------------------------------------

class Rules : public Access {
 public:
  bool may_publish(std::string_view topic) const override { return topic != "no/publish"; }
  bool may_subscribe(std::string_view filter) const override { return filter != "no/subscribe"; }
  bool may_receive(std::string_view topic) const override { return topic != "no/receive"; }
};

TEST(Rights, OfPublishersAndSubscribers) {
  TestCluster cluster;
  cluster.credentials = [](const CredentialCheck&) {
    CredentialAnswer answer;
    answer.access = std::make_shared<Rules>();
    return answer;
  };
  TestClient& is_5 = cluster.connect(0, "five");
  TestClient& is_3 = cluster.connect(0, {.client_id = "three", .version = k311});
  cluster.subscribe(is_5, "no/subscribe", Qos::k1, 1);
  cluster.subscribe(is_5, "$share/g/no/subscribe", Qos::k1, 2);
  cluster.subscribe(is_5, "no/+", Qos::k1, 3);
  cluster.subscribe(is_3, "no/subscribe", Qos::k1, 1);
  EXPECT_THAT(is_5.take(), ElementsAre("SUBACK 1 0x87", "SUBACK 2 0x87", "SUBACK 3 0x01"));
  EXPECT_THAT(is_3.take(), ElementsAre("SUBACK 1 0x80"));
  for (TestClient* client : {&is_5, &is_3}) {
    cluster.publish(*client, "no/publish", "m", Qos::k0);
    cluster.publish(*client, "no/publish", "m", Qos::k1, 1);
    cluster.publish(*client, "no/publish", "m", Qos::k2, 2);
    cluster.publish(*client, "$SYS/x", "m", Qos::k1, 3);
    cluster.publish(*client, "no/receive", "m", Qos::k0);
  }
  EXPECT_THAT(is_5.take(), ElementsAre("PUBACK 1 0x87", "PUBREC 2 0x87", "PUBACK 3 0x87"));
  EXPECT_THAT(is_3.take(), ElementsAre("PUBACK 1", "PUBREC 2", "PUBACK 3"));  // [MQTT311-3.3.5-2]
  cluster.publish(is_5, "yes", "m", Qos::k2, 2);  // a new message [MQTT5-4.3.3-9]
  cluster.ack(is_5, PacketType::kPubRel, 2);
  EXPECT_THAT(is_5.take(), ElementsAre("PUBREC 2", "PUBCOMP 2"));
}

TEST(Rights, CanBeChangedAndWithdrawn) {
  TestCluster cluster;
  TestClient& client = cluster.connect(0, "c");
  cluster.publish(client, "no/publish", "m", Qos::k1, 1);
  CredentialAnswer answer;
  answer.access = std::make_shared<Rules>();
  cluster.on_broker(0, [&](Broker& b) { b.on_credentials(client.conn, answer, cluster.now()); });
  cluster.publish(client, "no/publish", "m", Qos::k1, 2);
  answer.outcome = CredentialAnswer::Outcome::kNotAuthorized;
  cluster.on_broker(0, [&](Broker& b) { b.on_credentials(client.conn, answer, cluster.now()); });
  EXPECT_THAT(client.take(), ElementsAre("PUBACK 1", "PUBACK 2 0x87", "DISCONNECT 0x87"));
}

// ---- enhanced authentication (5.0: 4.12) ------------------------------------------------------------

// Wants "a", then "b"; anything else is refused.
class Letters : public AuthMethods {
 public:
  class Exchange : public AuthExchange {
   public:
    Step on_data(std::span<const uint8_t> data) override {
      const char wanted = asked_ ? 'b' : 'a';
      Step step;
      const bool right = data.size() == 1 && data[0] == wanted;
      step.done = !right || asked_;
      if (!right) step.answer.outcome = CredentialAnswer::Outcome::kNotAuthorized;
      step.answer.user = "letters";
      if (right) step.data = {asked_ ? uint8_t{'!'} : uint8_t{'?'}};
      asked_ = true;
      return step;
    }

   private:
    bool asked_ = false;
  };
  std::unique_ptr<AuthExchange> begin(const CredentialCheck&, std::string_view method) override {
    return method == "LETTERS" ? std::make_unique<Exchange>() : nullptr;
  }
};

class AuthTest : public ::testing::Test {
 protected:
  AuthTest() : cluster(options(letters)) {}
  static TestCluster::Options options(Letters& letters) {
    TestCluster::Options options;
    options.config.auth_methods = &letters;
    return options;
  }
  TestClient& begin() {
    return cluster.open(0, {.client_id = "c", .edit = [](Connect& c) {
                              c.authentication_method = "LETTERS";
                              c.authentication_data = bytes_of("a");
                            }});
  }
  TestClient& established() {
    TestClient& client = begin();
    auth(client, ReasonCode::kContinueAuthentication, "b");
    client.take();
    return client;
  }
  void auth(TestClient& client, ReasonCode reason, std::string_view data,
            std::string_view method = "LETTERS") {
    Auth packet;
    packet.reason = reason;
    packet.authentication_method = method;
    packet.authentication_data = bytes_of(data);
    cluster.send(client, packet);
  }

  Letters letters;
  TestCluster cluster;
};

TEST_F(AuthTest, AnExchangeBeforeConnack) {  // [MQTT5-4.12.0-2] [MQTT5-4.12.0-5]
  TestClient& client = begin();
  EXPECT_THAT(client.take(), ElementsAre("AUTH 0x18 method=LETTERS data=?"));
  auth(client, ReasonCode::kContinueAuthentication, "b");
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x00 method=LETTERS data=!"));
  EXPECT_EQ(cluster.log.back().user, "letters");
}

TEST_F(AuthTest, Refusals) {
  struct Row {
    ReasonCode reason;
    std::string_view data, method;
    const char* told;
  };
  const Row rows[] = {
      {ReasonCode::kContinueAuthentication, "x", "LETTERS", "CONNACK 0x87"},  // [MQTT5-4.12.0-4]
      {ReasonCode::kReAuthenticate, "b", "LETTERS", "CONNACK 0x82"},          // [MQTT5-4.12.0-3]
      {ReasonCode::kContinueAuthentication, "b", "OTHER", "CONNACK 0x82"},
  };
  for (const Row& row : rows) {
    TestClient& client = begin();
    client.take();
    auth(client, row.reason, row.data, row.method);
    EXPECT_THAT(client.take(), ElementsAre(row.told));
    EXPECT_TRUE(client.closed);
  }
}

TEST_F(AuthTest, AnAuthThatTheClientDoesNotTakeIsNotSent) {  // [MQTT5-3.1.2-24]
  TestClient& client = cluster.open(0, {.client_id = "c", .edit = [](Connect& c) {
                                          c.authentication_method = "LETTERS";
                                          c.authentication_data = bytes_of("a");
                                          c.maximum_packet_size = 16;
                                        }});
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x95"));
}

TEST_F(AuthTest, NothingButAuthDuringIt) {  // [MQTT5-3.1.2-30]
  TestClient& client = begin();
  client.take();
  cluster.subscribe(client, "t", Qos::k0);
  EXPECT_THAT(client.take(), ElementsAre("CONNACK 0x82"));
}

TEST_F(AuthTest, Again) {  // [MQTT5-4.12.1-1] [MQTT5-4.12.1-2]
  TestClient& client = established();
  auth(client, ReasonCode::kReAuthenticate, "a");
  EXPECT_THAT(client.take(), ElementsAre("AUTH 0x18 method=LETTERS data=?"));
  cluster.send(client, PingReq{});  // the connection goes on meanwhile
  auth(client, ReasonCode::kContinueAuthentication, "b");
  EXPECT_THAT(client.take(), ElementsAre("PINGRESP", "AUTH 0x00 method=LETTERS data=!"));
  auth(client, ReasonCode::kReAuthenticate, "x");
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x87"));
  TestClient& other = established();
  auth(other, ReasonCode::kReAuthenticate, "a", "OTHER");
  EXPECT_THAT(other.take(), ElementsAre("DISCONNECT 0x82"));
}

TEST_F(AuthTest, NotWithoutAMethodInConnect) {  // [MQTT5-4.12.0-6] [MQTT5-4.12.0-7]
  TestClient& client = cluster.connect(0, "plain");
  auth(client, ReasonCode::kReAuthenticate, "a");
  EXPECT_THAT(client.take(), ElementsAre("DISCONNECT 0x82"));
}

}  // namespace
}  // namespace shoal::test
