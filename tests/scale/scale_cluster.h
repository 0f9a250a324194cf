// A whole cluster in one thread, without faults: what its nodes send each other, what their hubs cost,
// and how long they take to agree, by the number of nodes and of clients (docs/scaling.md).
//
// The clients are routes: each has one filter of its own, at a worker of its node; and there are filters
// that every worker wants.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/scale/scale_node.h"

namespace shoal::scale {

struct ScaleOptions {
  int nodes = 3;
  int workers = 2;
  uint32_t shards = 8;
  uint64_t clients = 1000;
  uint64_t shared_filters = 1000;
  double mbit = 1000;  // of each node's pipes
  Duration latency{500'000};
  double rate = 10'000;                 // clients that come to each node a second, at first
  Duration turn = Duration::millis(1);  // of a worker: so much goes into one RouteBatch
  // SimThread: whether the hubs' work takes virtual time. Without, two runs are alike.
  double slowness = 1;
  uint64_t seed = 1;
};

// What was used since a moment.
struct Usage {
  struct Node {
    Traffic sent;
    Traffic received;
    Duration hub;  // the processor's time
  };
  Instant at;
  std::vector<Node> nodes;
  Usage since(const Usage& before) const;
  Usage::Node total() const;
};

// Times of the virtual clock.
struct Times {
  std::vector<Duration> all;
  void add(Duration one) { all.push_back(one); }
  Duration quantile(double share);  // of none: 0
};

class ScaleCluster {
 public:
  explicit ScaleCluster(ScaleOptions options);
  ~ScaleCluster();

  // False: not within the time.
  bool run_until(const std::function<bool()>& is_done, Duration at_most,
                 Duration step = Duration::millis(1));
  void run_for(Duration time) { world_.run_until(world_.now() + time); }

  const ScaleOptions& options() const { return options_; }
  World& world() { return world_; }
  ScaleNode& node(int index) { return *nodes_[index]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  Usage usage() const;
  // How long nodes that had leases were without, summed over the nodes, since this was asked last.
  Duration take_lapses() { return std::exchange(lapses_, {}); }
  std::vector<std::string> warnings() const;

  // ---- as it stands
  bool are_all_ready();
  bool do_all_promise() const;
  bool do_digests_agree() const;
  // Every batch of every worker is synced.
  bool is_all_synced() const;

  // ---- life and death
  void boot(int node) { nodes_[node]->boot(); }
  size_t crash(int node);

  // ---- clients
  void want(int node, int worker, std::vector<std::string> filters);
  void want_no_more(int node, int worker, std::vector<std::string> filters);
  // Claims the id, then wants the filter.
  void connect(int node, int worker, uint64_t client);
  Times take_suback_waits() { return std::exchange(suback_waits_, {}); }
  Times take_connack_waits() { return std::exchange(connack_waits_, {}); }
  static std::string filter_of(uint64_t client);
  static std::string id_of(uint64_t client);

 private:
  struct Place {
    std::deque<std::pair<uint64_t, Instant>> batches;  // not synced: number, when it was asked for
    std::map<std::string, std::pair<uint64_t, Instant>> claims;  // client, when it asked
    uint64_t posted = 0;  // on the way to the worker's thread
  };

  ScaleNodeConfig config_of(int number);
  Place& place(int node, int worker) { return places_[node * options_.workers + worker]; }
  void announce(int node, int worker, std::vector<std::string> filters, RouteWeight weight);
  void on_synced(int node, int worker, uint64_t batch);
  void on_claim(int node, int worker, const ClaimAnswer& answer);
  void watch_leases();

  const ScaleOptions options_;
  World world_;
  Wires wires_;
  std::vector<std::unique_ptr<ScaleNode>> nodes_;
  std::vector<Place> places_;
  Times suback_waits_;
  Times connack_waits_;
  std::vector<bool> had_leases_;  // by node, since it was booted
  Duration lapses_{};
};

}  // namespace shoal::scale
