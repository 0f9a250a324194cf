// A durable publisher and a durable subscriber over random schedules: connections that are lost or taken
// over on any worker of any node, packets that the client never got to read, commits that wait. What was
// acknowledged arrives, at QoS 2 once, and each QoS in its order.
#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shoal/byte_view.h"
#include "shoal/random.h"
#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

constexpr size_t kBrokers = 4;  // two nodes of two workers

// The standard's client side, over as many connections as it takes.
class DurableClient {
 public:
  DurableClient(TestCluster& cluster, std::string client_id)
      : cluster_(cluster), client_id_(std::move(client_id)) {}
  virtual ~DurableClient() = default;

  bool is_connected() const { return connected_ && !client_->closed; }
  void connect(size_t broker, bool loses_first) {
    if (client_ && !client_->closed && loses_first) cluster_.lose(*client_);
    connected_ = false;
    client_ = &cluster_.open(broker, durable(client_id_, ProtocolVersion::kMqtt5,
                                             [](Connect& c) { c.receive_maximum = 3; }));
  }
  void read() {
    if (!client_) return;
    for (const std::string& line : client_->take()) {
      if (line.starts_with("CONNACK")) {
        ASSERT_TRUE(line.starts_with("CONNACK 0x00")) << line;
        // Nothing that either side relies on may be forgotten.
        ASSERT_TRUE(line.ends_with(" present") || !was_connected_) << line;
        connected_ = was_connected_ = true;
        on_connected();
      } else if (!line.starts_with("DISCONNECT")) {
        on_packet(line);
      }
    }
  }
  void lose() {
    if (client_ && !client_->closed) cluster_.lose(*client_);
    connected_ = false;
  }

 protected:
  virtual void on_connected() {}
  virtual void on_packet(const std::string& line) = 0;
  void send(PacketType type, uint16_t packet_id) {
    if (!client_->closed) cluster_.ack(*client_, type, packet_id);
  }

  TestCluster& cluster_;
  TestClient* client_ = nullptr;

 private:
  std::string client_id_;
  bool connected_ = false;
  bool was_connected_ = false;
};

class Publisher : public DurableClient {
 public:
  explicit Publisher(TestCluster& cluster) : DurableClient(cluster, "publisher") {}

  void publish(Qos qos) {
    if (open_.size() >= 20) return;
    const uint16_t packet_id = static_cast<uint16_t>(++sent_);
    order_.push_back(packet_id);
    open_[packet_id] = {qos, false};
    send_open(packet_id, false);
  }
  bool is_done() const { return open_.empty(); }
  // Payloads, in the order of their acknowledgement.
  std::vector<int> acknowledged[3];

 private:
  struct Open {
    Qos qos = Qos::k1;
    bool released = false;
  };
  void send_open(uint16_t packet_id, bool dup) {
    if (client_->closed) return;
    const Open& open = open_.at(packet_id);
    if (open.released) return send(PacketType::kPubRel, packet_id);
    cluster_.publish(*client_, "t", std::to_string(packet_id), open.qos, packet_id,
                     [dup](Publish& p) { p.dup = dup; });
  }
  void on_connected() override {
    for (const uint16_t packet_id : order_) {
      if (open_.contains(packet_id)) send_open(packet_id, true);
    }
  }
  void on_packet(const std::string& line) override {
    const uint16_t packet_id = packet_id_in(line);
    const auto found = open_.find(packet_id);
    if (line.starts_with("PUBREC")) {
      ASSERT_TRUE(found != open_.end()) << line;
      if (!found->second.released) acknowledged[2].push_back(packet_id);
      found->second.released = true;
      return send(PacketType::kPubRel, packet_id);
    }
    if (found == open_.end()) return;  // answered twice
    if (line.starts_with("PUBACK")) acknowledged[1].push_back(packet_id);
    open_.erase(found);
  }

  uint32_t sent_ = 0;
  std::vector<uint16_t> order_;
  std::map<uint16_t, Open> open_;
};

class Subscriber : public DurableClient {
 public:
  explicit Subscriber(TestCluster& cluster) : DurableClient(cluster, "subscriber") {}

  std::vector<int> got[3];

 private:
  void on_connected() override {
    if (subscribed_) return;
    cluster_.subscribe(*client_, "t", Qos::k2);
  }
  void on_packet(const std::string& line) override {
    if (line.starts_with("SUBACK")) {
      subscribed_ = true;
    } else if (line.starts_with("PUBREL")) {
      received_.erase(packet_id_in(line));
      send(PacketType::kPubComp, packet_id_in(line));
    } else if (line.starts_with("PUBLISH")) {
      on_publish(line);
    }
  }
  void on_publish(const std::string& line) {
    const uint16_t packet_id = packet_id_in(line);
    const int payload = std::stoi(line.substr(line.find(' ', 8)));
    if (line.find(" q1") != std::string::npos) {
      got[1].push_back(payload);
      return send(PacketType::kPubAck, packet_id);
    }
    ASSERT_NE(line.find(" q2"), std::string::npos) << line;
    if (received_.insert(packet_id).second) got[2].push_back(payload);
    send(PacketType::kPubRec, packet_id);
  }

  bool subscribed_ = false;
  std::set<uint16_t> received_;
};

// Returns how many messages the subscriber was to get.
size_t run(uint64_t seed) {
  TestCluster cluster({.nodes = 2, .workers = 2, .config = {}});
  Random random(seed);
  Publisher publisher(cluster);
  Subscriber subscriber(cluster);
  subscriber.connect(0, false);
  subscriber.read();
  subscriber.read();
  publisher.connect(1, false);
  for (int step = 0; step < 300; ++step) {
    switch (random.below(16)) {
      case 0: publisher.connect(random.below(kBrokers), random.below(2) == 0); break;
      case 1: subscriber.connect(random.below(kBrokers), random.below(2) == 0); break;
      case 2: publisher.lose(); break;
      case 3: subscriber.lose(); break;
      case 4: cluster.store().holds_commits = true; break;
      case 5:
      case 6: cluster.commit(); break;
      case 7: cluster.advance(Duration::millis(300)); break;
      case 8: cluster.set_lease(random.below(3) != 0); break;
      case 9:
      case 10: publisher.read(); break;
      case 11:
      case 12: subscriber.read(); break;
      default:
        if (publisher.is_connected()) publisher.publish(random.below(2) ? Qos::k1 : Qos::k2);
    }
  }
  cluster.set_lease(true);
  cluster.commit();
  publisher.connect(0, true);
  subscriber.connect(3, true);
  for (int i = 0; i < 100; ++i) {
    publisher.read();
    subscriber.read();
  }
  EXPECT_TRUE(publisher.is_done());
  EXPECT_EQ(cluster.store().outbox(), 0u);
  EXPECT_EQ(cluster.store().session("subscriber")->queue.queued, 0u);
  for (const int qos : {1, 2}) {
    std::set<int> seen;
    std::vector<int> first;  // times that it came
    for (const int payload : subscriber.got[qos]) {
      if (seen.insert(payload).second) first.push_back(payload);
    }
    EXPECT_TRUE(std::is_sorted(first.begin(), first.end())) << "order at QoS " << qos;
    for (const int payload : publisher.acknowledged[qos]) {
      EXPECT_TRUE(seen.contains(payload)) << payload << " was acknowledged, and lost";
    }
    if (qos == 2) EXPECT_EQ(first.size(), subscriber.got[2].size()) << "came twice";
  }
  return publisher.acknowledged[1].size() + publisher.acknowledged[2].size();
}

TEST(DurableSchedule, AcknowledgedArrivesOnceAndInOrder) {
  constexpr size_t kSeeds = 200;
  size_t messages = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    messages += run(seed);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(messages, 10 * kSeeds);  // it was worth the while
}

}  // namespace
}  // namespace shoal::test
