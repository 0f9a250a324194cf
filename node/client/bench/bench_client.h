// One connection of the load generator: non-blocking, driven by the Load's epoll. It frames, hands
// packets up, and answers what the protocol wants answered. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "node/client/bench/bench_options.h"
#include "node/client/bench/endpoint.h"
#include "node/codec/decode.h"
#include "node/codec/encode.h"

struct ssl_ctx_st;
struct ssl_st;

namespace shoal::bench {

class BenchClient;

Instant clock_now();

class BenchEvents {
 public:
  virtual ~BenchEvents() = default;
  virtual void on_connected(BenchClient& client) = 0;
  virtual void on_subscribed(BenchClient& client) = 0;
  virtual void on_message(BenchClient& client, const Publish& message) = 0;
  // PUBACK or PUBCOMP of one of its publishes, which was due then.
  virtual void on_published(BenchClient& client, Instant due) = 0;
  // Not for one that closed itself.
  virtual void on_lost(BenchClient& client, const std::string& why) = 0;
};

class BenchClient {
 public:
  BenchClient(BenchEvents& events, uint32_t index, std::string client_id,
              const BenchOptions& options);
  ~BenchClient();
  BenchClient(const BenchClient&) = delete;
  BenchClient& operator=(const BenchClient&) = delete;

  // Starts to connect; false if the system refuses at once. `tls`: null for plain TCP.
  bool open(const Endpoint& endpoint, ssl_ctx_st* tls, int epoll);
  void close();
  void disconnect();  // DISCONNECT, then close

  void subscribe(const std::string& filter);
  // Publishes go to the topics added, in turn.
  void add_topic(std::string_view topic);
  // `head` begins the payload, the rest is filler. Written with the next flush.
  void publish(std::span<const uint8_t, kPayloadMin> head, Instant due);
  bool flush();  // false: the connection broke, on_lost was called
  size_t unsent() const { return outgoing_.size() - sent_; }

  void on_ready(uint32_t epoll_events, std::span<uint8_t> buffer);

  uint32_t index() const { return index_; }
  Instant dialled() const { return dialled_; }
  bool is_open() const { return socket_ >= 0; }
  bool is_connected() const { return state_ == State::kConnected; }

  size_t unacknowledged() const { return open_.size(); }  // of its publishes

 private:
  enum class State : uint8_t { kClosed, kTcp, kTls, kMqtt, kConnected };

  void send_connect();
  bool shake_hands();
  void read(std::span<uint8_t> buffer);
  void take_bytes(std::span<const uint8_t> bytes);
  bool take(const Decoded& packet);
  void take_ack(const Ack& ack);
  void finish(uint16_t packet_id);
  std::ptrdiff_t receive(std::span<uint8_t> buffer);
  std::ptrdiff_t transmit(const uint8_t* data, size_t size);
  void lose(const std::string& why);
  void watch(bool writable);
  template <class Packet>
  void send(const Packet& packet) {
    encode_to(outgoing_, packet, options_.version);
  }

  BenchEvents& events_;
  const uint32_t index_;
  const std::string client_id_;
  const BenchOptions& options_;
  Instant dialled_;
  int socket_ = -1;
  int epoll_ = -1;
  ssl_st* tls_ = nullptr;
  State state_ = State::kClosed;
  bool watching_writable_ = false;
  std::vector<uint8_t> partial_;  // of a packet that has not come whole
  std::vector<uint8_t> outgoing_;
  size_t sent_ = 0;  // of outgoing_
  struct Template {
    std::vector<uint8_t> bytes;  // a whole PUBLISH, patched for each
    PublishPatch patch;
  };
  std::vector<Template> templates_;  // by topic
  size_t next_template_ = 0;
  uint16_t next_id_ = 0;  // of its publishes
  struct Open {
    uint16_t packet_id = 0;
    Instant due;
  };
  std::deque<Open> open_;  // publishes without an acknowledgement, as they were sent
  uint16_t subscribe_id_ = 0;
};

}  // namespace shoal::bench
