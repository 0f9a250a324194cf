// Hubs in a network in memory, under one virtual clock: connections with three lanes that take
// their time, break, and stand still where the network is cut; nodes that crash, freeze with
// unread input, and come back with or without their data. Workers that answer at once, or not.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/hub.h"
#include "shoal/random.h"

namespace shoal {

struct Received {
  WorkerIndex worker;
  ToWorker mail;
};

struct HubNode {
  StoredState disk;  // what is durable
  std::string address;
  HubConfig config;
  std::unique_ptr<Hub> hub;  // null: crashed
  int life = 0;              // events of an earlier one are void
  std::optional<Instant> frozen_until;
  std::deque<std::function<void()>> unread;  // while frozen
  LinkId last_accepted = kAcceptedLink;

  // The workers.
  std::vector<Received> mail;     // since the start, or the last clear
  std::vector<uint64_t> batches;  // of each: the last RouteBatch
  std::vector<uint64_t> synced;   // and the last RoutesSynced
  std::vector<uint64_t> numbers;  // and the last message forwarded
  Instant ack_until{};
  int all_closes = 0;
  std::map<NodeSlot, int> ups;   // PeerUp less PeerDown
  std::vector<std::string> got;  // "WORKER:PAYLOAD" of forwarded messages
  bool applies_routes = true;    // answers RouteUpdate
  bool closes_all = true;        // answers AllClose
  bool consumes = true;          // answers ForwardIn
  bool evicts = true;            // answers Evict

  std::optional<Instant> confirmed;  // since the start: the first word that another may go on
                                     // without a third

  std::vector<HubEffects::Answer> answers;
  std::vector<std::string> log;
};

struct ClusterOptions {
  int nodes = 3;
  int workers = 2;
  int expect = -1;  // -1: all nodes
  uint64_t seed = 1;
  Limits limits = {};
  bool start = true;
};

class HubCluster {
 public:
  explicit HubCluster(ClusterOptions options);
  ~HubCluster();

  Now now() const { return {now_, kEpochMs + now_.ns / 1'000'000}; }
  void run(int64_t ms);
  // Until `done`; false: not within `ms`.
  bool run_until(const std::function<bool()>& done, int64_t ms);

  HubNode& node(int index) { return *nodes_[index]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  NodeId id(int index) const { return nodes_[index]->disk.id; }
  int add_node(HubConfig config);
  HubStatus status(int index) const { return nodes_[index]->hub->status(now()); }
  // Of `other`, in the table of `index`.
  MemberStatus member(int index, int other) const;
  void command(int index, uint64_t token, HubCommand command);

  // ---- faults
  void start(int index);
  void crash(int index);
  void wipe(int index);                              // of a crashed one: a new identity
  void move(int index, const std::string& address);  // of a crashed one
  void freeze(int index, int64_t ms);
  void cut(int from, int to);  // one way
  void cut_both(int a, int b);
  void heal();
  void reset_links(int a, int b);
  void slow_dials(bool on) { slow_dials_ = on; }

  // ---- workers
  void send(int index, WorkerIndex worker, ToHub mail);
  uint64_t subscribe(int index, WorkerIndex worker, const std::string& filter);
  uint64_t unsubscribe(int index, WorkerIndex worker, const std::string& filter);
  bool is_synced(int index, WorkerIndex worker, uint64_t number) const;
  // A message straight to workers of another node, as if they had asked for it: its number.
  uint64_t forward(int from, WorkerIndex worker, int to, uint64_t mask, const std::string& payload,
                   Qos qos = Qos::k1);
  template <typename T>
  std::vector<T> mails(int index) const {
    std::vector<T> found;
    for (const Received& received : nodes_[index]->mail) {
      if (const T* const one = std::get_if<T>(&received.mail)) found.push_back(*one);
    }
    return found;
  }

  // ---- what should hold
  bool may_acknowledge(int index) const;
  bool all_ready() const;
  bool routes_equal() const;

 private:
  static constexpr int64_t kEpochMs = 1'700'000'000'000;

  struct End {
    int node = -1;
    int life = 0;
    LinkId link = 0;
    bool is_open = false;
    std::deque<std::pair<Lane, FrameRef>> held;  // towards this end, while the way is cut
  };
  struct Connection {
    End ends[2];                                // the dialler's first
    std::array<Instant, kLaneCount> last[2]{};  // arrival of the last frame at each end
  };
  struct Event {
    Instant at;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void after(Duration delay, std::function<void()> run);
  // Now, or when the node reads again; not in another life of it.
  void to_node(int index, int life, std::function<void()> run);
  void tick(int index, int life);
  void thaw(int index, int life);
  void carry_out(int index);
  void carry_out_stores(int index, const HubEffects& effects);
  void carry_out_mails(int index, const HubEffects& effects);
  void dial(int index, const HubEffects::Dial& dial);
  void connect(int index, int life, LinkId link, int target, int target_life);
  void close(int index, LinkId link);
  void send_frame(int index, const HubEffects::Send& send);
  void deliver(Connection& connection, int end, Lane lane, FrameRef frame);
  void tell_down(Connection& connection, int end);
  void on_mail(int index, WorkerIndex worker, const ToWorker& mail);
  void on_forward(int index, WorkerIndex worker, const ForwardIn& mail);
  bool is_cut(int from, int to) const { return cuts_.count({from, to}) != 0; }
  std::pair<Connection*, int> find(int index, LinkId link);

  Random random_;
  Instant now_ = Instant{} + Duration::seconds(1000);
  uint64_t order_ = 0;
  bool slow_dials_ = false;
  std::priority_queue<Event> events_;
  std::vector<std::unique_ptr<HubNode>> nodes_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::map<std::pair<int, LinkId>, std::pair<Connection*, int>> by_link_;
  std::set<std::pair<int, int>> cuts_;
};

}  // namespace shoal
