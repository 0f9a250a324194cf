// One node in the simulator: the production hub and brokers, carried by simulated threads instead
// of real ones. Each thread (the hub's, each worker's) has an inbox that it works off some time
// after something arrived, a few events at a time, as the runtime's mailboxes and loops do. A
// frozen node's inboxes fill; what its threads find afterwards they see with the clock of then.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/hub.h"
#include "node/broker/broker.h"
#include "tests/replica/sim_store.h"
#include "tests/sim/network.h"
#include "tests/sim/retained_disk.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/world.h"

namespace shoal {
struct MovedClient;
}

namespace shoal::sim {

struct SimNodeConfig {
  NodeNumber number = 0;
  std::string address;
  std::vector<std::string> join;
  int expect = 1;
  int workers = 2;
  uint32_t shards = 2;
  Limits limits;
  uint32_t weight = 1;
  std::string zone;
  Duration replace_after = Duration::seconds(600);
  uint32_t protocol_max = kProtocolMax;  // of its program
  bool moves_clients = false;            // from worker to worker, as they wish and at random
};

class SimNode final : public NetworkEnd {
 public:
  SimNode(World& world, Network& network, SimNodeConfig config);
  ~SimNode() override;

  // ---- what can befall it
  void boot();
  void crash();
  // It is told to end, as by SIGTERM, and does when it has done what it has to.
  void terminate();
  // It leaves the cluster, its replicas first, also when it crashes meanwhile.
  void leave();
  // The others know that it has left; it may have crashed before it did.
  void has_to_go();
  void freeze();
  void unfreeze();
  // Its disk is slow for a while.
  void slow_down(Duration for_so_long) { store_.slow_down(for_so_long); }
  // Only while it is down: the data directory is lost, or the node comes back elsewhere.
  void wipe() {
    disk_.reset();
    store_.wipe();
    retained_disk_.wipe();
  }
  // Its program is replaced: that is the one that starts next.
  void upgrade() { config_.protocol_max = kProtocolMax; }
  void move_to(std::string address) { config_.address = std::move(address); }

  bool is_up() const { return process_ != nullptr; }
  bool is_frozen() const { return frozen_; }
  bool is_ending() const { return is_up() && ending_; }
  bool is_leaving() const { return leaving_ && !left_; }
  bool has_left() const { return left_; }
  NodeId id() const { return disk_ ? disk_->id : NodeId{}; }
  NodeNumber number() const { return config_.number; }
  const std::string& address() const { return config_.address; }
  // The highest version of the protocol, of the process that runs or ran last.
  uint32_t speaks() const { return speaks_; }

  // Some other command of its hub; `on_other_answer` hears what became of it, unless the process ends before.
  void command(HubCommand command);
  std::function<void(const HubEffects::Answer&)> on_other_answer;
  // Another member, which is gone for good.
  void remove(NodeId lost);
  // The process that it is now.
  uint64_t life() const { return life_; }

  // ---- clients
  std::unique_ptr<ClientPort> dial(SimClient& client, uint64_t connection);
  // So often has one gone from worker to worker.
  uint64_t client_moves() const { return client_moves_; }
  // Breaks one client connection, drawn at random, as a network would.
  void break_some_client();

  // ---- for the checkers
  Hub& hub();
  Broker& broker(int worker);
  int workers() const { return config_.workers; }
  bool is_ready();
  Now now() const;
  // Null: it has no replica of this shard, or has not opened it.
  const replica::ShardServer* server(uint32_t shard) const { return store_.server(shard); }
  // A replica here came to this state.
  std::function<void(uint32_t shard, raft::Index, uint64_t hash)> on_applied;

  // ---- NetworkEnd
  void link_up(LinkId link, bool dialled, const std::string& address) override;
  void link_down(LinkId link, const std::string& why) override;
  void frame(LinkId link, Lane lane, FrameRef frame) override;

 private:
  struct ServerEnd;
  struct Port;
  struct Process;
  using Task = std::function<void(Now)>;
  using ConnKey = std::pair<int, uint64_t>;  // worker, packed ConnId

  static constexpr int kHubThread = -1;
  static uint64_t packed(ConnId conn) {
    return (static_cast<uint64_t>(conn.generation) << 32) | conn.slot;
  }

  void note(const std::string& line);
  void post(int thread, Task task);
  void post_socket(int worker, Task task);
  // To the worker that has the connection then.
  void post_socket(const std::shared_ptr<ServerEnd>& end, Task task);
  void schedule(int thread);
  void run(int thread);
  void tick_hub(uint64_t life);
  void tick_worker(int worker, uint64_t life);
  void carry_hub();
  void carry_worker(int worker);
  void store(uint64_t token, StoredState state);
  void open_store(const StorePlan& plan);
  void write_retained(std::vector<HubEffects::RetainedWrite>& writes);
  void sync_retained();
  replica::test::SimStore::Reports store_reports();

  void accept(std::shared_ptr<ServerEnd> end, Now now);
  void take_arrived(const std::shared_ptr<ServerEnd>& end, Now now);
  void take_bytes(const std::shared_ptr<ServerEnd>& end, std::vector<uint8_t> bytes, Now now);
  void offer_publishers(int worker);
  void move(int worker, const Effects::Wish& wish);
  void moved_in(const std::shared_ptr<ServerEnd>& end, std::unique_ptr<MovedClient> client,
                Now now);
  void client_closed(const std::shared_ptr<ServerEnd>& end);
  void pump(const std::shared_ptr<ServerEnd>& end);
  static size_t room_of(const ServerEnd& end);
  void pump_later(const std::shared_ptr<ServerEnd>& end);
  void finish_close(const std::shared_ptr<ServerEnd>& end);
  std::shared_ptr<ServerEnd> end_of(int worker, ConnId conn);

  // ---- sim_node_ending.cc
  void on_answer(const HubEffects::Answer& answer);
  bool has_work_left() const;
  void close_clients();
  void wait_for_clients(uint64_t life, Instant deadline);
  void go_on_leaving();
  bool is_out();

  World& world_;
  Network& network_;
  SimNodeConfig config_;
  const Duration clock_offset_;
  const int64_t wall_skew_ms_;
  std::optional<StoredState> disk_;
  replica::test::SimStore store_;
  RetainedDisk retained_disk_;
  bool is_writing_retained_ = false;
  std::unique_ptr<Process> process_;
  uint64_t life_ = 0;
  uint64_t client_moves_ = 0;
  uint32_t speaks_;
  bool frozen_ = false;
  bool ending_ = false;
  bool leaving_ = false;  // whatever becomes of its processes
  bool left_ = false;
};

}  // namespace shoal::sim
