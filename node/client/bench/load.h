// The load: connects the clients, lets publishers publish by window or by rate, measures what
// arrives. One thread, one epoll.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/client/bench/bench_client.h"
#include "node/client/bench/bench_options.h"
#include "node/client/bench/histogram.h"
#include "node/client/bench/ledger.h"
#include "node/client/bench/process_stats.h"

namespace shoal::bench {

// Of the messages that waited for durable subscribers.
struct Drain {
  Duration took;  // from the first CONNECT to the last message
  uint64_t delivered = 0;
  std::optional<ProcessStats> cpu;  // spent by the broker
};

struct LoadResult {
  std::string problem;  // empty: the run is good for something
  Duration measured;
  uint64_t sent = 0;          // while it was measured
  uint64_t acknowledged = 0;  // likewise; at QoS > 0
  uint64_t delivered = 0;     // likewise
  uint64_t connects = 0;      // pattern connect: whole CONNECT to DISCONNECT turns
  uint64_t connected = 0;     // connections at the end
  uint64_t lost_connections = 0;
  Verdict verdict;             // of the whole run, warm-up included
  Histogram latency;           // of deliveries; patterns idle and connect: from dialling to CONNACK
  Histogram ack_latency;       // from when a message was due to its PUBACK or PUBCOMP
  std::optional<Drain> drain;  // with --offline
  std::optional<ProcessStats> cpu;              // spent by the broker while it was measured
  std::optional<int64_t> bytes_per_connection;  // pattern idle: growth of the broker's memory
};

class Load final : public BenchEvents {
 public:
  explicit Load(const BenchOptions& options);
  ~Load() override;

  LoadResult run();

  void on_connected(BenchClient& client) override;
  void on_subscribed(BenchClient& client) override;
  void on_message(BenchClient& client, const Publish& message) override;
  void on_published(BenchClient& client, Instant due) override;
  void on_lost(BenchClient& client, const std::string& why) override;

 private:
  struct Publisher {
    std::unique_ptr<BenchClient> client;
    uint64_t sent = 0;
    uint64_t undelivered = 0;  // deliveries that are still to come
    bool queued = false;       // in to_send_
  };

  bool is_messaging() const;
  bool connect_all(std::vector<BenchClient*> clients);
  bool open(BenchClient& client);
  void run_messages();
  bool connect_subscribers();
  bool connect_publishers();
  void publish_all();
  bool has_published_all() const;
  void drain();
  void pause();
  void run_idle();
  void run_connects();
  void set_up_messages();
  void start_measuring();
  void stop_measuring();
  void judge();

  void step(Duration wait_max);
  void publish_due();
  void publish_in_windows();
  bool may_publish(const Publisher& publisher) const;
  void publish(Publisher& publisher, Instant due);
  void progress();
  void give_up_lost();
  std::string topic_of(uint32_t publisher, uint32_t number) const;
  std::vector<std::string> filters_of(uint32_t subscriber) const;
  void subscribe_all(const std::vector<BenchClient*>& clients);
  uint64_t deliveries_of_one() const;
  std::vector<BenchClient*> subscribers() const;

  const BenchOptions options_;
  std::vector<Endpoint> publish_to_, subscribe_from_;
  const std::string run_name_;  // so that runs do not meet each other's topics and sessions
  int epoll_ = -1;
  ssl_ctx_st* tls_ = nullptr;
  std::vector<uint8_t> buffer_;
  std::vector<std::unique_ptr<BenchClient>> subscribers_;
  std::vector<Publisher> publishers_;
  std::vector<std::unique_ptr<BenchClient>> others_;
  std::vector<std::vector<Sequence>> seen_;  // by subscriber (one for a group), by publisher
  std::deque<uint32_t> to_send_;
  uint32_t next_publisher_ = 0;
  Instant next_due_, last_progress_, last_delivery_, last_sign_, measuring_since_;
  uint64_t waiting_ = 0;  // for CONNACKs or SUBACKs
  bool measuring_ = false;
  bool stopping_ = false;
  uint64_t arrived_ = 0;  // messages, warm-up included
  uint64_t shown_ = 0;    // of what progress() counts
  std::optional<ProcessStats> stats_before_;
  LoadResult result_;
};

}  // namespace shoal::bench
