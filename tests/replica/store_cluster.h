// Nodes with the production Store and ShardServers of all shards, on simulated disks and a simulated
// network, without brokers: what workers would say is said by tests.
//
// A node's hub is a thread with an inbox, as in a real node. Two nodes share at most one session, in
// which frames come in order and once; either side may leave it, and then the other does some time
// after. What was sent meanwhile is lost, and a new one begins when both have left.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/replica/store.h"
#include "tests/replica/sim_store.h"
#include "tests/sim/world.h"

namespace shoal::replica::test {

// What everybody publishes to, and its one shared subscription.
inline const std::string kTopic = "t";
inline const std::string kGroup = "$share/g/t";

class StoreCluster {
 public:
  struct Options {
    uint64_t seed = 1;
    int nodes = 3;
    uint32_t shards = 2;
    int workers = 1;
    // See Groups::Options. A short one makes nodes that were away need copies.
    unsigned trailing = 200;
    // See GroupOptions. Little more than a batch makes entries wait in Groups.
    uint64_t uncommitted_entries_max = 66;
    size_t unread_bytes = 300;
    size_t piece_bytes = 40;
    Duration latency{300'000};  // between nodes, mostly
    Duration wake{40'000};      // of threads, mostly
    uint64_t first_id = 1;
    NodeId id_of(int node) const { return NodeId{first_id + static_cast<uint64_t>(node)}; }
  };
  explicit StoreCluster(const Options& options);
  static constexpr uint64_t kClusterSeed = 5;

  World& world() { return world_; }
  Now now() const { return {world_.now(), kWallStart + world_.now().ns / 1'000'000}; }
  const Options& options() const { return options_; }
  int nodes() const { return options_.nodes; }
  bool is_up(int node) const { return nodes_[node]->process != nullptr; }
  uint64_t incarnation(int node) const { return nodes_[node]->incarnation; }
  Store& store(int node) { return *nodes_[node]->process->store; }
  const Store& store(int node) const { return *nodes_[node]->process->store; }
  const ShardServer& server(int node, uint32_t shard) const {
    return *nodes_[node]->disks.server(shard);
  }
  // The node whose replica serves, -1: none.
  int leader(uint32_t shard) const;

  // Before the one node of it is started: its replica begins with this, instead of nothing.
  void restore(uint32_t shard, raft::Index index, raft::Term term,
               const shard::MemoryKeyValues& values);
  // Likewise: it has these replicas, and was started so often before.
  void take_over(const std::vector<SimStore::Held>& held, uint64_t incarnation);
  // What a node that is not up has.
  std::vector<SimStore::Held> held(int node) { return nodes_[node]->disks.held(); }
  // These are no nodes of it any more.
  void forget_nodes(const std::vector<NodeId>& gone);
  // On the node's hub, between other events.
  void on_hub(int node, std::function<void()> what) { post(node, std::move(what)); }

  void start(int node);
  void crash(int node);
  void cut(int a, int b, bool is_cut);
  bool is_cut(int a, int b) const { return cuts_.contains(pair_of(a, b)); }
  void heal();
  // Their session ends, though the network is well.
  void reset(int a, int b);
  // Nothing happens on it until then, and what comes waits.
  void freeze(int node, Duration for_so_long);
  void slow_down(int node, Duration for_so_long) { nodes_[node]->disks.slow_down(for_so_long); }

  void ask(int node, WorkerIndex worker, ToStore mail);
  // Its workers may take a message: it holds leases of all that are not given up, so all that was
  // acknowledged anywhere is among the routes that they have.
  bool may_publish(int node);
  // Which shards want it, a bit each, as its workers know it.
  uint64_t shards_of(int node, const std::string& filter) const;
  // What a worker gets; its node is up.
  std::function<void(int node, WorkerIndex worker, FromStore&& mail)> on_mail;
  // A node's process ended.
  std::function<void(int node)> on_crash;

  // Something of the client id is stored, and the leader of its shard says that nothing is.
  bool is_overlooked(const std::string& client_id);

  // Copies of states that took the place of a node's own.
  uint64_t installed() const;

  // Violations so far, for people.
  std::vector<std::string> violations;
  // Nothing is on its way.
  bool is_settled();
  // Of the same applied index, on every replica.
  void check_replicas();

 private:
  static constexpr int64_t kWallStart = 1'700'000'000'000;
  enum class Lane { kControl, kBulk };
  using Task = std::function<void()>;

  // What the workers of a node know of all shards.
  struct RouteTables {
    uint64_t told = 0;
    uint64_t applied = 0;
    std::deque<std::vector<PlacedRoute>> coming;
    std::map<std::string, uint64_t> shards;  // filter: a bit each
  };
  struct Process {
    std::unique_ptr<Store> store;
    RouteTables routes;
    std::map<int, Instant> leases;                                    // from peers: until when
    std::set<int> gone;                                               // given up
    bool knows_shards = false;                                        // since it holds them
    std::map<uint32_t, std::deque<StoreEffects::Publish>> unmatched;  // of outboxes, by shard
    // Given to the group's shard, and not answered: shard and number of the outbox, by the ask's number.
    std::map<uint64_t, std::pair<uint32_t, uint64_t>> at_group;
    uint64_t last_ask = 0;
    std::map<int, uint64_t> sessions;  // peer: number
    std::deque<Task> inbox;
    bool is_due = false;
  };
  struct Node {
    explicit Node(World& world) : disks(world) {}
    NodeId id;
    uint64_t incarnation = 0;
    int life = 0;  // what was planned for an earlier one is void
    bool is_frozen = false;
    bool is_late = false;  // its turn came while it was frozen
    SimStore disks;
    std::unique_ptr<Process> process;
  };
  using PairKey = std::pair<int, int>;
  static PairKey pair_of(int a, int b) { return {std::min(a, b), std::max(a, b)}; }

  // ---- store_cluster.cc: a node's hub
  void open_store(int node);
  SimStore::Reports reports_of(int node);
  void post(int node, Task task);
  void run_soon(int node);
  void run(int node);
  void tick(int node);
  void carry_out(int node, StoreEffects&& effects);
  uint64_t tell_workers(int node, std::vector<PlacedRoute>&& changes);
  void match_outbox(int node, uint32_t shard);
  void publish_item(int node, const StoreEffects::Publish& item);
  void on_group_has(int node, uint64_t ask);
  WorkerIndex hub_worker() const { return static_cast<WorkerIndex>(options_.workers); }
  void check_hash(uint32_t shard, raft::Index index, uint64_t hash);
  void check_leader(int node, uint32_t shard);
  void check_left_over(int node, uint32_t shard);

  // ---- store_network.cc
  std::vector<NodeId> waited_for(int node) const;
  void give_up(int node, int peer);
  void renew_leases(int node);
  void connect(int a, int b);
  bool may_connect(int a, int b) const;
  void connect_soon(int a, int b, Duration delay);
  void begin_session(int at, int peer, uint64_t number);
  void leave(int at, int peer, uint64_t number);
  void leave_soon(int at, int peer, Duration delay);
  uint64_t session_of(int at, int peer) const;
  void send(int from, StoreEffects::Frame&& frame);
  // In order within a lane of a session.
  void deliver(int from, int to, Lane lane, Task task);

  int index_of(NodeId id) const { return static_cast<int>(id.value - options_.first_id); }

  const Options options_;
  World world_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<PairKey> cuts_;
  uint64_t last_session_ = 0;
  // Sessions that lost something by a cut, a heartbeat if nothing else: nothing comes by them then.
  std::set<uint64_t> torn_;
  std::map<std::pair<PairKey, Lane>, Instant> last_delivery_;  // (from, to)
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> hashes_;
  std::map<uint32_t, uint64_t> lead_terms_;  // the last that a shard's leader was seen in
};

}  // namespace shoal::replica::test
