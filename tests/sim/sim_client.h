// A simulated device: an MQTT client that keeps the standard's client side (QoS 2 repeats, DUP,
// packet identifiers over a resumed session), tries again at another node when it is let down, and
// writes down what it sent and saw. It knows nothing of the cluster.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/codec/decode.h"
#include "node/codec/encode.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace shoal::sim {

struct SubscriptionPlan {
  std::string filter;
  Qos qos = Qos::k1;
  bool no_local = false;
};

struct WillPlan {
  Qos qos = Qos::k1;
  uint32_t delay_s = 0;  // 5.0
};

struct ClientPlan {
  std::string client_id;
  ProtocolVersion version = ProtocolVersion::kMqtt5;
  bool clean_start = true;
  uint32_t session_expiry_s = 0;
  std::vector<SubscriptionPlan> subscriptions;
  std::vector<std::string> topics;  // published to, one drawn at a time; empty: never publishes
  std::optional<Qos> qos;           // of what it publishes; unset: any
  Duration publish_every = Duration::millis(200);
  size_t window = 5;                  // open QoS > 0 messages
  bool churns_subscriptions = false;  // takes its last subscription away and back at times
  bool retains = false;               // some of what it publishes
  std::optional<WillPlan> will;       // every connection has another, on "will/CLIENT"
  bool says_goodbye = false;          // DISCONNECTs at times, and comes back
  bool stays_away = false;            // for seconds, at times
  uint16_t receive_maximum = 0;       // 5.0; 0: not said
  size_t reads_per_tick = 0;          // bytes, until it stops publishing; 0: all that comes
  bool stalls = false;                // reads nothing for a while at times
  bool leaves_unread = false;         // and may break its connection then
};

// One connection as the client holds it. Bytes go to whatever node the balancer chose.
class ClientPort {
 public:
  virtual ~ClientPort() = default;
  virtual void send(std::vector<uint8_t> bytes) = 0;
  virtual void close() = 0;
};

class SimClient {
 public:
  // Opens a connection to some node; null when there is none. Answers come as on_bytes, on_closed
  // with the number given here.
  using Dial = std::function<std::unique_ptr<ClientPort>(uint64_t connection)>;

  SimClient(World& world, History& history, int number, ClientPlan plan, Dial dial);

  void start();
  // And reads what comes, however slow it was.
  void stop_publishing();
  // From now on every message is published with this client alone deciding when: see publish_now.
  bool publish_now(const std::string& topic, Qos qos, bool retain = false);
  // One more subscription, of this session alone. `then`: when its SUBACK is there.
  void subscribe_now(const std::string& filter, std::function<void()> then);

  // DISCONNECT, after which the will must not come.
  void say_goodbye();
  // The network breaks, and the client does not come back.
  void vanish();
  // The one that it connected with last.
  const std::optional<MessageKey>& will() const { return will_; }

  void on_bytes(uint64_t connection, std::span<const uint8_t> bytes);
  // Bytes that its socket takes.
  size_t room() const;
  void on_closed(uint64_t connection);

  bool connected() const { return state_ == State::kConnected; }
  bool subscribed() const;
  bool idle() const { return outgoing_.empty() && waiting_.empty(); }
  bool finished() const { return finished_; }
  int chain() const { return chain_; }
  const ClientPlan& plan() const { return plan_; }
  int number() const { return number_; }

 private:
  enum class State { kClosed, kConnecting, kConnected };
  struct Outgoing {
    MessageKey key;
    bool released = false;  // PUBREC came: PUBREL is what is repeated
    Instant sent;
  };

  void dial();
  void retry_later();
  void drop(const char* why);
  void schedule_publish();
  void publish_something();
  void schedule_watch(uint64_t connection);
  void schedule_churn();
  void schedule_goodbye();
  void schedule_leaving();
  void will_is_due();
  void schedule_reading();
  void schedule_stall();
  void read(size_t bytes);
  void add_will(Connect& connect, std::string& payload);
  void watch(uint64_t connection);
  void take(const Decoded& packet);
  void on_connack(const ConnAck& packet);
  void on_publish(const Publish& packet);
  void on_ack(const Ack& packet);
  void on_suback(const SubAck& packet);
  void on_disconnect(const Disconnect& packet);
  void resume_outgoing();
  void restart_outgoing();
  void send_waiting();
  void send_publish(uint16_t id, const MessageKey& key, bool dup);
  void send_ack(PacketType type, uint16_t id);
  void subscribe(size_t first);
  void unsubscribe_last();
  uint16_t unused_id();
  void end_chain();
  // Its session outlives its connection, and it wants it back.
  bool is_durable() const { return plan_.session_expiry_s != 0 && !plan_.clean_start; }
  template <class Packet>
  void send(const Packet& packet);

  World& world_;
  History& history_;
  const int number_;
  const ClientPlan plan_;
  const Dial dial_;

  State state_ = State::kClosed;
  uint64_t connection_ = 0;
  std::unique_ptr<ClientPort> port_;
  std::vector<uint8_t> unread_;  // in its socket
  std::vector<uint8_t> received_;
  bool is_slow_ = false;
  bool stalled_ = false;
  Instant connect_sent_, ping_sent_, last_heard_;
  bool ping_open_ = false;
  bool publishing_ = true;
  bool finished_ = false;
  bool is_session_in_doubt_ = false;

  int chain_ = -1;
  uint64_t next_number_ = 1;
  uint16_t next_id_ = 1;
  std::map<uint16_t, Outgoing> outgoing_;
  std::deque<uint16_t> outgoing_order_;
  std::deque<MessageKey> waiting_;  // not yet sent on this connection
  std::set<uint16_t> received_qos2_;
  std::map<uint16_t, std::vector<size_t>>
      subscribe_open_;  // packet id -> the chain's subscriptions
  std::set<uint16_t> unsubscribe_open_;
  std::map<uint16_t, std::function<void()>> on_subscribed_;  // by packet id
  std::optional<MessageKey> will_;
  bool said_goodbye_ = false;  // on this connection
  Instant away_until_{};
};

template <class Packet>
void SimClient::send(const Packet& packet) {
  std::vector<uint8_t> bytes;
  encode_to(bytes, packet, plan_.version);
  port_->send(std::move(bytes));
}

std::string will_topic_of(const std::string& client_id);
// The topic that this client alone keeps a retained message on; others are everybody's.
std::string retained_topic_of(int client);

// For the trace.
std::string text_of(const MessageKey& key);
std::string at_qos(Qos qos);

// The payload of a message, and back: it names itself and proves that it came whole.
std::string payload_of(const MessageKey& key);
std::optional<MessageKey> key_of(ByteView payload);

}  // namespace shoal::sim
