// Brokers of one or several nodes, a hub and a store that are as simple as can be, and clients: all in one
// thread under a clock that the test moves. After every event the broker's invariants are checked.
#pragma once

#include <concepts>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "node/broker/broker.h"
#include "tests/broker/test_client.h"

namespace shoal {
struct MovedClient;
}

namespace shoal::test {

class TestStore;

struct ConnectOptions {
  std::string client_id = "c";
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  bool clean_start = true;
  uint16_t keep_alive_s = 0;
  std::function<void(Connect&)> edit;  // anything else
};

class TestCluster {
 public:
  struct Options {
    size_t nodes = 1;
    size_t workers = 1;  // of each node
    BrokerConfig config;
    size_t shards = 2;  // of the store
  };
  TestCluster() : TestCluster(Options{}) {}
  explicit TestCluster(Options options);
  ~TestCluster();

  // Connects to worker `broker` (node * workers + worker) and sends CONNECT; nothing is taken from
  // what comes back.
  TestClient& open(size_t broker, const ConnectOptions& options);
  // The same, and the CONNACK must be a success.
  TestClient& connect(size_t broker, const ConnectOptions& options);
  // A template, so that it never competes for a list of options in braces.
  template <std::convertible_to<std::string> Name>
  TestClient& connect(size_t broker, const Name& client_id) {
    ConnectOptions options;
    options.client_id = client_id;
    return connect(broker, options);
  }
  // A connection without a CONNECT.
  TestClient& accept(size_t broker, ProtocolVersion version = ProtocolVersion::kMqtt5);

  template <class Packet>
  void send(TestClient& client, const Packet& packet) {
    std::vector<uint8_t> bytes;
    encode_to(bytes, packet, client.version);
    send_bytes(client, bytes);
  }
  void send_bytes(TestClient& client, std::span<const uint8_t> bytes);
  void subscribe(TestClient& client, std::string_view filter, Qos qos, uint16_t packet_id = 1,
                 const std::function<void(SubscriptionRequest&)>& edit = nullptr,
                 uint32_t identifier = 0);
  void unsubscribe(TestClient& client, std::string_view filter, uint16_t packet_id);
  void publish(TestClient& client, std::string_view topic, std::string_view payload, Qos qos,
               uint16_t packet_id = 0, const std::function<void(Publish&)>& edit = nullptr);
  void ack(TestClient& client, PacketType type, uint16_t packet_id,
           ReasonCode reason = ReasonCode::kSuccess);
  // The network is gone.
  void lose(TestClient& client);
  // What was held back is written.
  void read_again(TestClient& client);

  void mail(size_t broker, ToWorker mail);
  void advance(Duration duration);
  // For both directions: no mail between the nodes, and each tells its workers PeerDown.
  void peer_down(size_t node, size_t other);
  // Ends the leases of all, or gives them again.
  void set_lease(bool granted);
  // What hold_forwards, hold_acceptances and hold_moves kept back goes on.
  void release_held();
  // Runs until nothing is left to do.
  void settle();
  void on_broker(size_t broker, const std::function<void(Broker&)>& event);

  Broker& broker(size_t i) { return *workers_[i]->broker; }
  TestStore& store() { return *store_; }
  // What the store held back commits.
  void commit();
  const BrokerCounters& counters(size_t i) { return broker(i).counters(); }
  uint64_t dropped(DropReason reason) { return counters(0).dropped[static_cast<size_t>(reason)]; }
  Now now() const { return now_; }

  // What the hub and the outside do.
  bool hold_forwards = false;     // batches between nodes wait
  bool hold_acceptances = false;  // answers to them wait
  bool hold_routes = false;       // RoutesSynced waits
  bool hold_retained = false;     // RetainDone waits
  bool moves = false;             // connections go to other workers as they wish
  bool hold_moves = false;        // the hub does not hear of it yet
  bool knows_store = false;       // a claim is granted with the word that nothing is stored
  bool checks = true;             // invariants after each event: too slow for very many
  size_t portion = 2;             // retained messages a portion
  std::function<CredentialAnswer(const CredentialCheck&)> credentials;
  std::map<std::string, MessageRef> retained;
  std::vector<LogEvent> log;
  std::vector<std::string> hub_log;  // claims and evictions, a line each
  size_t all_closed = 0;

 private:
  struct Worker {
    size_t node = 0;
    WorkerIndex index = 0;
    std::unique_ptr<Broker> broker;
  };
  struct Mail {
    size_t to = 0;
    ToWorker mail;
    std::shared_ptr<MovedClient> moved;  // else of no meaning
    TestClient* client = nullptr;        // whose that is
  };
  struct Claim {
    size_t holder = 0;
    Stamp stamp;
    bool held = false;
    // The claim that waits for an eviction.
    bool waits = false;
    size_t next = 0;
    ClaimRequest request;
    Stamp next_stamp;
  };

  size_t index_of(size_t node, WorkerIndex worker) const {
    return node * workers_per_node_ + worker;
  }
  NodeSlot slot_of(size_t seen_from, size_t node) const;
  size_t node_of(size_t seen_from, NodeSlot slot) const;
  void post(size_t to, ToWorker mail) { mails_.push_back({to, std::move(mail), nullptr, nullptr}); }
  void finish_turn(size_t broker);
  void carry_out(size_t broker, Effects& effects);
  void move(size_t broker, const Effects::Wish& wish);
  void flush(size_t broker, ConnId conn);
  TestClient* find(size_t broker, ConnId conn);

  void on_hub(size_t from, ToHub& mail);
  void on_routes(size_t from, RouteBatch& batch);
  void on_move(size_t from, const ClaimMove& move);
  void on_claim(size_t from, const ClaimRequest& request);
  void grant(const std::string& client_id, Claim& claim);
  void on_evicted(const EvictDone& done);
  void on_evict_refused(const EvictRefused& refused);
  void on_forward(size_t from, const ForwardOut& out);
  void on_query(size_t from, const RetainedQuery& query);

  size_t workers_per_node_;
  std::unique_ptr<TestStore> store_;
  Now now_{Instant{1'000'000'000'000}, 1'700'000'000'000};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::deque<std::unique_ptr<TestClient>> clients_;
  std::deque<Mail> mails_;
  std::vector<Mail> held_;
  std::map<std::string, Claim> claims_;
  std::vector<std::pair<size_t, ClaimMove>> held_moves_;
  uint64_t stamps_ = 0;
  std::vector<std::pair<size_t, size_t>> down_;
  bool lease_ = true;
};

std::string payload_of(size_t size);

}  // namespace shoal::test
