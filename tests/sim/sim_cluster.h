// A whole run: some nodes, some devices, a time of faults, healing, and judgement.
//
// Phases, in virtual time: the nodes boot and find each other; devices connect, subscribe and
// publish while faults strike (kChaos); everything heals and every node must serve again by itself
// within kHealing; the load goes on a while, then ends, and what is open must settle (kSettling);
// then one probe a topic and publisher must reach everybody, at QoS 0 too. At the end the checkers
// judge the history, and the nodes' own tables are compared.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_backups.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/world.h"

namespace shoal::sim {

// Which faults may strike; the seed decides when and whom.
struct FaultKinds {
  bool crashes = true;     // kill -9, and a start some time later
  bool freezes = true;     // seconds of SIGSTOP, sockets filling meanwhile
  bool cuts = true;        // of a pair, one way or both
  bool isolations = true;  // one node from all others
  bool splits = true;      // every node on its own
  bool resets = true;      // TCP connections between nodes break
  bool wipes = true;       // a crashed node comes back with an empty data directory
  bool moves = true;       // or at another address
  bool client_breaks = true;
  bool slow_devices = true;  // some read slowly, or not for seconds
  bool power_cuts = true;    // of all nodes at once
  bool slow_disks = true;    // syncs that take most of a second, for a while
  bool terminations = true;  // SIGTERM, and a start some time later
  bool operator==(const FaultKinds&) const = default;
};

constexpr FaultKinds kNoFaults{false, false, false, false, false, false, false,
                               false, false, false, false, false, false};

struct SimOptions {
  uint64_t seed = 1;
  int nodes = 3;
  int workers = 2;
  Duration chaos = Duration::seconds(20);
  bool grows = false;          // nodes come (of one or two four, else two), one of the first leaves
  bool upgrades = false;       // some begin with the version before, and are upgraded
  bool backups = false;        // are taken all the while
  bool moves_clients = false;  // from worker to worker
  // Unset: the seed picks a subset of the kinds, at times none.
  std::optional<FaultKinds> faults;
  bool print_trace = false;
};

struct SimResult {
  std::vector<std::string> violations;
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  uint64_t published = 0;
  uint64_t acknowledged = 0;
  uint64_t delivered = 0;
  uint64_t faults = 0;
  Duration rejoined;  // from healing until every node served again
  uint64_t backups = 0;
  uint64_t moves = 0;  // of clients, from worker to worker
};

// Two devices share this client id and take it from each other.
constexpr const char* kTwin = "twin";
constexpr const char* kTopics[] = {"t/0/a", "t/0/b", "t/1/a", "t/1/b", "u/x", "u/y/z"};

class SimCluster {
 public:
  explicit SimCluster(const SimOptions& options);
  ~SimCluster();
  SimResult run();

 private:
  void make_nodes();
  static int newcomers(int founders);  // where it grows
  void draw_growth();
  Limits draw_limits();
  void draw_pace(ClientPlan& plan);
  void draw_session(ClientPlan& plan);
  void make_clients();
  ClientPlan subscriber_plan(int number);
  ClientPlan publisher_plan(int number);
  std::optional<WillPlan> will_plan();
  SimClient& add_client(ClientPlan plan);
  void add_kin();
  void add_probers();
  void probe_suback(SimClient& subscriber, SimClient& publisher, int number);
  std::unique_ptr<ClientPort> balance(SimClient*& client, uint64_t connection);

  void take_backups();
  void schedule_fault();
  void strike();
  void crash_one();
  void terminate(SimNode& node);
  void boot_when_down(SimNode& node);
  bool may_move(const SimNode& node) const;
  void crash_all();
  void freeze_one();
  void heal_everything();
  void draw_upgrades();
  void finish_upgrades();
  void check_protocol_level(SimNode& node);
  void check_upgraded();
  bool is_forgotten(const SimNode& leaving) const;
  void remove_the_lost();
  void finish_leaving();

  void chaos_phase();
  void healing_phase();
  void settling_phase();
  void probe_phase();
  void farewell_phase();
  void clean_start_phase();
  std::vector<SimClient*> come_back(bool is_kept);
  void watch_queues();
  void check_queues(SimNode& node);
  void note_shards(SimNode& node);
  void check_ready(const char* when);
  void check_settled();
  void check_probes(size_t chains_before);
  void check_newcomer(const SimClient& late);
  void check_nodes_agree();
  void check_hash(uint32_t shard, uint64_t index, uint64_t hash);
  bool has_lost_member() const;
  void check_level();
  void check_stores();
  void check_one_connection_each();
  void violation(std::string what) { history_.violation(std::move(what)); }

  const SimOptions options_;
  World world_;
  Network network_;
  History history_;
  FaultKinds faults_;
  Limits limits_;  // of every node
  uint32_t shards_ = 1;
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> hashes_;  // of shards' states, by index
  bool any_faults_ = true;
  bool chaos_on_ = false;
  bool asks_for_all_ = false;  // some subscriber may have "#"
  bool wiped_ = false;
  uint64_t faults_struck_ = 0;
  Duration rejoined_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<std::unique_ptr<SimNode>> left_;  // have left
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::map<int, SimNode*> last_node_;  // of each client
  std::vector<MessageKey> probes_;
  std::unique_ptr<SimBackups> backups_;  // null: none are taken
  size_t backups_begun_ = 0;
};

SimResult run_simulation(const SimOptions& options);

}  // namespace shoal::sim
