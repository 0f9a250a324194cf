// A running node as its clients meet it: enhanced authentication, and the $SYS topics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "node/serve/running_node.h"
#include "tests/serve/mqtt_peer.h"
#include "tests/serve/scram_peer.h"

namespace shoal {
namespace {

class ClientsTest : public testing::Test {
 protected:
  ClientsTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/users")
        << scram_user_line("alice", "secret") << argon2id_user_line("bob", "secret");
    std::ofstream(folder_ + "/acl") << "user alice\ntopic readwrite home/#\n";
    config_.node_name = "n/1";
    config_.data_dir = folder_ + "/data";
    config_.workers = 2;
    config_.listeners.resize(2);
    for (ListenerConfig& listener : config_.listeners) listener.address = {"127.0.0.1", 0};
    config_.listeners[0].name = "users";
    config_.listeners[0].password_file = folder_ + "/users";
    config_.listeners[0].acl_file = folder_ + "/acl";
    config_.listeners[1].name = "open";
    config_.listeners[1].anonymous = Anonymous::kAllowed;
    config_.peer = {"127.0.0.1", 0};
    config_.peer_advertise = config_.peer;
    config_.response_information = "answers/n1";
  }
  ~ClientsTest() override {
    node_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    auto started = RunningNode::start(config_, log_);
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<RunningNode>>(started));
    node_ = std::get<std::unique_ptr<RunningNode>>(std::move(started));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {  // until it has founded its cluster
      MqttPeer peer(open_port());
      Connect connect;
      connect.client_id = "first";
      peer.send(connect);
      if (peer.receive<ConnAck>().reason == ReasonCode::kSuccess) return;
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  uint16_t users_port() const { return node_->listening()[0].port; }
  uint16_t open_port() const { return node_->listening()[1].port; }

  static Auth auth(ReasonCode reason, std::string_view data) {
    Auth packet;
    packet.reason = reason;
    packet.authentication_method = "SCRAM-SHA-256";
    packet.authentication_data = bytes_of(data);
    return packet;
  }
  static void connect(MqttPeer& peer, const ScramPeer& scram,
                      std::string_view method = "SCRAM-SHA-256") {
    const std::string first = scram.first();
    Connect packet;
    packet.client_id = "c";
    packet.authentication_method = method;
    packet.authentication_data = bytes_of(first);
    peer.send(packet);
  }
  static std::string data_of(const std::optional<ByteView>& data) {
    return std::string(text_of(data.value_or(ByteView{})));
  }
  // Up to the answer to client-final.
  static void prove(MqttPeer& peer, ScramPeer& scram) {
    const Auth challenge = peer.receive<Auth>();
    EXPECT_EQ(challenge.reason, ReasonCode::kContinueAuthentication);
    EXPECT_EQ(challenge.authentication_method, "SCRAM-SHA-256");
    const std::string proof = scram.final_of(data_of(challenge.authentication_data));
    peer.send(auth(ReasonCode::kContinueAuthentication, proof));
  }
  static ReasonCode publish(MqttPeer& peer, std::string_view topic) {
    Publish packet;
    packet.topic = topic;
    packet.qos = Qos::k1;
    packet.packet_id = 1;
    peer.send(packet);
    return peer.receive<Ack>().reason;
  }

  const std::string folder_ = testing::TempDir() + "/shoal-clients-" + std::to_string(::getpid());
  ServeConfig config_;
  Log log_{{.level = LogLevel::kError}};
  std::unique_ptr<RunningNode> node_;
};

// [MQTT5-4.12.0-2] [MQTT5-4.12.0-3] [MQTT5-4.12.0-5] [MQTT5-4.12.1-1] [MQTT5-4.12.1-2]
TEST_F(ClientsTest, LogInWithScramAndAgain) {
  start();
  ScramPeer scram("alice", "secret");
  MqttPeer peer(users_port());
  connect(peer, scram);
  prove(peer, scram);
  const ConnAck welcome = peer.receive<ConnAck>();
  EXPECT_EQ(welcome.reason, ReasonCode::kSuccess);
  EXPECT_EQ(welcome.authentication_method, "SCRAM-SHA-256");
  EXPECT_EQ(data_of(welcome.authentication_data), scram.expected_server_final());
  EXPECT_EQ(publish(peer, "home/a"), ReasonCode::kSuccess);  // with alice's rights
  EXPECT_EQ(publish(peer, "away/a"), ReasonCode::kNotAuthorized);

  ScramPeer again("alice", "secret");
  peer.send(auth(ReasonCode::kReAuthenticate, again.first()));
  prove(peer, again);
  const Auth done = peer.receive<Auth>();
  EXPECT_EQ(done.reason, ReasonCode::kSuccess);
  EXPECT_EQ(data_of(done.authentication_data), again.expected_server_final());
  EXPECT_EQ(publish(peer, "home/a"), ReasonCode::kSuccess);

  ScramPeer wrong("alice", "guess");
  peer.send(auth(ReasonCode::kReAuthenticate, wrong.first()));
  prove(peer, wrong);
  EXPECT_EQ(peer.receive<Disconnect>().reason, ReasonCode::kNotAuthorized);
}

TEST_F(ClientsTest, ScramRefusals) {  // [MQTT5-4.12.0-1] [MQTT5-4.12.0-4]
  start();
  const struct {
    const char* user;
    const char* password;
  } rows[] = {{"alice", "guess"}, {"nobody", "secret"}, {"bob", "secret"}};
  for (const auto& [user, password] : rows) {
    SCOPED_TRACE(user);
    ScramPeer scram(user, password);
    MqttPeer peer(users_port());
    connect(peer, scram);
    prove(peer, scram);  // who exists is not told
    EXPECT_EQ(peer.receive<ConnAck>().reason, ReasonCode::kNotAuthorized);
  }
  const ScramPeer scram("alice", "secret");
  MqttPeer other_method(users_port());
  connect(other_method, scram, "SCRAM-SHA-1");
  EXPECT_EQ(other_method.receive<ConnAck>().reason, ReasonCode::kBadAuthenticationMethod);
  MqttPeer no_users(open_port());
  connect(no_users, scram);
  EXPECT_EQ(no_users.receive<ConnAck>().reason, ReasonCode::kBadAuthenticationMethod);
}

TEST_F(ClientsTest, ReadTheSystemTopics) {  // [MQTT5-4.7.2-1] [MQTT5-3.1.2-28]
  start();
  node_->tell_clients();
  MqttPeer peer(open_port());
  Connect connect;
  connect.client_id = "reader";
  connect.request_response_information = true;
  peer.send(connect);
  EXPECT_EQ(peer.receive<ConnAck>().response_information, "answers/n1");
  EXPECT_EQ(publish(peer, "$SYS/broker/version"), ReasonCode::kNotAuthorized);

  std::vector<uint8_t> list;
  append_subscription({.filter = "#"}, list);
  append_subscription({.filter = "+/broker/#"}, list);
  append_subscription({.filter = "$SYS/#"}, list);
  Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.subscriptions = SubscriptionList::of_valid(list);
  peer.send(subscribe);
  peer.receive<SubAck>();
  // Each once, by the third filter alone; until the one that comes last by its name.
  std::set<std::string> topics;
  for (std::string topic; topic != "$SYS/nodes/n_1/state";) {
    const Publish message = peer.receive<Publish>();
    topic = message.topic;
    ASSERT_FALSE(topic.empty());
    EXPECT_TRUE(topics.insert(topic).second) << topic;
    EXPECT_TRUE(message.retain);
    if (topic == "$SYS/broker/version") {
      EXPECT_THAT(std::string(text_of(message.payload)), testing::StartsWith("shoal version "));
    }
  }
  EXPECT_TRUE(topics.contains("$SYS/broker/clients/connected"));
  EXPECT_TRUE(topics.contains("$SYS/broker/load/bytes/sent/15min"));
  // Live ones come without RETAIN.
  node_->tell_clients();
  EXPECT_FALSE(peer.receive<Publish>().retain);
}

TEST_F(ClientsTest, AreToldTheLimitsThatAreConfigured) {
  config_.limits.packet_size_max = 1000;
  config_.limits.receive_maximum = 7;
  config_.limits.topic_alias_max = 3;
  config_.limits.keepalive_max_s = 30;
  config_.limits.session_expiry_max_s = 60;
  config_.listeners[1].max_qos = Qos::k1;
  config_.allow_zero_length_client_id = false;
  start();
  MqttPeer peer(open_port());
  Connect connect;
  connect.client_id = "limited";
  connect.keep_alive_s = 100;
  connect.session_expiry_s = 1000;
  peer.send(connect);
  const ConnAck told = peer.receive<ConnAck>();
  EXPECT_EQ(told.maximum_packet_size, 1000u);
  EXPECT_EQ(told.receive_maximum, 7);
  EXPECT_EQ(told.topic_alias_maximum, 3);
  EXPECT_EQ(told.server_keep_alive_s, 30);
  EXPECT_EQ(told.session_expiry_s, 60u);
  EXPECT_EQ(told.maximum_qos, Qos::k1);
  const std::string payload(1000, 'x');
  Publish large;
  large.topic = "t";
  large.payload = bytes_of(payload);
  peer.send(large);
  EXPECT_EQ(peer.receive<Disconnect>().reason, ReasonCode::kPacketTooLarge);

  MqttPeer nameless(open_port());
  connect.client_id = "";
  nameless.send(connect);
  EXPECT_EQ(nameless.receive<ConnAck>().reason, ReasonCode::kClientIdentifierNotValid);
}

TEST_F(ClientsTest, AreSentToTheServerThatIsNamedWhenTheNodeDrains) {
  config_.server_reference = "other.example:1883";
  start();
  MqttPeer peer(open_port());
  Connect connect;
  connect.client_id = "c";
  peer.send(connect);
  EXPECT_EQ(peer.receive<ConnAck>().reason, ReasonCode::kSuccess);
  node_->hub().command(DrainCommand{100}, [](const HubEffects::Answer&) {});
  const Disconnect end = peer.receive<Disconnect>();
  EXPECT_EQ(end.reason, ReasonCode::kUseAnotherServer);
  EXPECT_EQ(end.server_reference, "other.example:1883");
  MqttPeer late(open_port());
  late.send(connect);
  const ConnAck refused = late.receive<ConnAck>();
  EXPECT_EQ(refused.reason, ReasonCode::kUseAnotherServer);
  EXPECT_EQ(refused.server_reference, "other.example:1883");
  node_->hub().command(DrainCommand{100, true}, [](const HubEffects::Answer&) {});
  for (ConnAck moved; moved.reason != ReasonCode::kServerMoved;) {
    MqttPeer later(open_port());  // the command may reach a worker after this
    later.send(connect);
    moved = later.receive<ConnAck>();
    EXPECT_EQ(moved.server_reference, "other.example:1883");
  }
}

}  // namespace
}  // namespace shoal
