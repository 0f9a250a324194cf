#include "tests/sim/sim_cluster.h"

#include <algorithm>

#include "tests/sim/checkers.h"

namespace shoal::sim {
namespace {

constexpr Duration kHealing = Duration::seconds(5);
constexpr Duration kSettling = Duration::seconds(15);
constexpr Duration kProbing = Duration::seconds(10);
// A device whose link is slow has less behind it than this, and no longer pauses than that.
constexpr Duration kCatchingUp = Duration::seconds(120);
constexpr Duration kPause = Duration::seconds(8);

constexpr Duration kBackupInterval = Duration::millis(150);

std::string seed_address(int number) { return "n" + std::to_string(number) + ":7883"; }

}  // namespace

SimCluster::SimCluster(const SimOptions& options)
    : options_(options), world_(options.seed), network_(world_) {
  world_.print_trace(options.print_trace);
  if (options.faults) {
    faults_ = *options.faults;
    any_faults_ = !(faults_ == kNoFaults);
  } else {
    Random& random = world_.random();
    any_faults_ = !random.one_in(8);
    for (bool* kind :
         {&faults_.crashes, &faults_.freezes, &faults_.cuts, &faults_.isolations, &faults_.splits,
          &faults_.resets, &faults_.wipes, &faults_.moves, &faults_.client_breaks,
          &faults_.slow_devices, &faults_.power_cuts, &faults_.slow_disks, &faults_.terminations}) {
      *kind = any_faults_ && random.one_in(2);
    }
  }
  // Less than three hold nothing twice.
  if (options.nodes < 3) faults_.wipes = false;
  history_.nodes_may_be_lost(faults_.crashes || faults_.power_cuts || faults_.freezes ||
                             faults_.cuts || faults_.isolations || faults_.splits ||
                             faults_.terminations || options.grows);
  asks_for_all_ = world_.random().one_in(3);
  make_nodes();
  make_clients();
  if (!options.backups) return;
  backups_ = std::make_unique<SimBackups>(shards_,
                                          [this](std::string what) { violation(std::move(what)); });
  for (const auto& node : nodes_) {
    node->on_other_answer = [this, node = node.get()](const HubEffects::Answer& answer) {
      backups_->on_answer(*node, answer);
    };
  }
}

SimCluster::~SimCluster() = default;

void SimCluster::make_nodes() {
  limits_ = draw_limits();
  shards_ = 1 + static_cast<uint32_t>(world_.random().below(3));
  const int count = options_.nodes + (options_.grows ? newcomers(options_.nodes) : 0);
  const bool replaces = options_.grows && world_.random().one_in(2);
  // A lone founder that moves is not found by those that come later: they are in its list instead.
  std::vector<std::string> seeds;
  for (int i = 0; i < (options_.nodes < 3 ? count : options_.nodes); ++i) {
    seeds.push_back(seed_address(i));
  }
  for (int i = 0; i < count; ++i) {
    SimNodeConfig config;
    config.number = i;
    config.address = seed_address(i);
    config.join = count > 1 ? seeds : std::vector<std::string>{};
    config.expect = i < options_.nodes ? options_.nodes : 0;
    if (replaces) config.replace_after = Duration::seconds(3);
    if (options_.grows) {
      config.weight = 1 + static_cast<uint32_t>(world_.random().below(2));
      config.zone = world_.random().one_in(2) ? "z" : "";
    }
    config.workers = options_.workers;
    config.moves_clients = options_.moves_clients;
    config.limits = limits_;
    config.shards = shards_;
    if (options_.upgrades) {
      config.protocol_max = kProtocolMin + static_cast<uint32_t>(world_.random().below(2));
    }
    nodes_.push_back(std::make_unique<SimNode>(world_, network_, config));
    nodes_.back()->on_applied = [this](uint32_t shard, uint64_t index, uint64_t hash) {
      check_hash(shard, index, hash);
    };
  }
}

Limits SimCluster::draw_limits() {
  Limits limits;
  if (world_.random().one_in(2)) {  // some of what devices publish goes in pieces then
    limits.large_payload = 4 * 1024;
    limits.bulk_piece_bytes = 1024;
  }
  limits.slow_timeout = Duration::seconds(3);
  if (options_.moves_clients) limits.away_streak = 2;
  if (!world_.random().one_in(3)) return limits;
  // So small that queues fill, publishers wait, and who does not read is disconnected.
  limits.inflight_max = 4;
  limits.queued_max = 20;
  limits.queued_bytes_max = 16 * 1024;
  limits.output_bytes_max = 16 * 1024;
  limits.output_bytes_low = 2 * 1024;
  limits.forward_window_bytes = 16 * 1024;
  limits.forward_queue_bytes = 32 * 1024;
  history_.queues_may_overflow(true);
  return limits;
}

void SimCluster::draw_pace(ClientPlan& plan) {
  if (!faults_.slow_devices || !world_.random().one_in(3)) return;
  plan.stalls = world_.random().one_in(2);
  if (!plan.stalls || world_.random().one_in(2)) {
    plan.reads_per_tick = 100 + world_.random().below(1000);
  }
}

// A node that is not ready gives none, and the next one is asked. Each is an entry in all logs, so they
// end before the nodes are compared.
void SimCluster::take_backups() {
  if (world_.now() >= Instant{} + options_.chaos) return;
  world_.after(kBackupInterval, [this] {
    SimNode& node = *nodes_[++backups_begun_ % nodes_.size()];
    if (!backups_->is_going_on() && node.is_ready()) backups_->begin(node);
    take_backups();
  });
}

// ---- faults -------------------------------------------------------------------------------------

void SimCluster::schedule_fault() {
  world_.after(world_.between(Duration::millis(100), Duration::seconds(3)), [this] {
    if (!chaos_on_) return;
    strike();
    schedule_fault();
  });
}

void SimCluster::strike() {
  Random& random = world_.random();
  const int count = static_cast<int>(nodes_.size());
  const int a = static_cast<int>(random.below(nodes_.size()));
  const int b = count > 1 ? (a + 1 + static_cast<int>(random.below(nodes_.size() - 1))) % count : a;
  ++faults_struck_;
  switch (random.below(11)) {
    case 0:
      if (faults_.crashes) crash_one();
      break;
    case 1:
      if (faults_.freezes) freeze_one();
      break;
    case 2:
      if (!faults_.cuts || a == b) break;
      world_.note("cut n" + std::to_string(a) + " n" + std::to_string(b));
      if (random.one_in(2)) {
        network_.cut(a, b);
      } else {
        network_.cut_both(a, b);
      }
      break;
    case 3:
      if (!faults_.isolations) break;
      world_.note("isolate n" + std::to_string(a));
      for (int other = 0; other < count; ++other) {
        if (other != a) network_.cut_both(a, other);
      }
      break;
    case 4:
      if (!faults_.splits || !random.one_in(3)) break;
      world_.note("split all");
      for (int x = 0; x < count; ++x) {
        for (int y = x + 1; y < count; ++y) network_.cut_both(x, y);
      }
      break;
    case 5:
      if (!faults_.resets || a == b) break;
      world_.note("reset n" + std::to_string(a) + " n" + std::to_string(b));
      network_.reset_links(a, b);
      break;
    case 6:
      if (!faults_.client_breaks) break;
      for (uint64_t left = 1 + random.below(6); left != 0; --left) {
        nodes_[static_cast<size_t>(a)]->break_some_client();
      }
      break;
    case 7:
      if (faults_.power_cuts && random.one_in(3)) crash_all();
      break;
    case 8:
      if (!faults_.slow_disks) break;
      nodes_[static_cast<size_t>(a)]->slow_down(
          world_.between(Duration::millis(100), Duration::seconds(5)));
      break;
    case 9:
      if (faults_.terminations) terminate(*nodes_[static_cast<size_t>(a)]);
      break;
    default: world_.note("heal the network"); network_.heal();
  }
}

void SimCluster::crash_one() {
  SimNode& node = *nodes_[world_.random().below(nodes_.size())];
  if (!node.is_up()) return;
  node.crash();
  // Members that are gone for ever count until somebody removes them: a second one of three would
  // leave no majority.
  if (faults_.wipes && !wiped_ && world_.random().one_in(6)) {
    node.wipe();
    node.upgrade();
    wiped_ = true;
  }
  if (faults_.moves && world_.random().one_in(5) && may_move(node)) {
    node.move_to("n" + std::to_string(node.number()) + ":" +
                 std::to_string(8000 + world_.random().below(1000)));
  }
  const Duration down = world_.between(Duration::millis(50), Duration::seconds(6));
  world_.after(down, [&node] {
    if (!node.is_up() && !node.has_left()) node.boot();
  });
}

void SimCluster::terminate(SimNode& node) {
  if (!node.is_up()) return;
  node.terminate();
  boot_when_down(node);
}

void SimCluster::boot_when_down(SimNode& node) {
  world_.after(world_.between(Duration::millis(50), Duration::seconds(6)), [this, &node] {
    if (node.has_left()) return;
    if (!node.is_up()) return node.boot();
    boot_when_down(node);
  });
}

// Where no address of the `join` list leads to anybody, two that moved while they were apart have no way
// to find each other.
bool SimCluster::may_move(const SimNode& node) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&node](const auto& other) {
    return other.get() != &node && other->address() == seed_address(other->number());
  });
}

void SimCluster::crash_all() {
  world_.note("power cut");
  for (const auto& node : nodes_) {
    if (!node->is_up()) continue;
    node->crash();
    world_.after(world_.between(Duration::millis(50), Duration::seconds(3)), [node = node.get()] {
      if (!node->is_up() && !node->has_left()) node->boot();
    });
  }
}

void SimCluster::freeze_one() {
  SimNode& node = *nodes_[world_.random().below(nodes_.size())];
  if (!node.is_up() || node.is_frozen()) return;
  world_.note("freeze n" + std::to_string(node.number()));
  node.freeze();
  world_.after(world_.between(Duration::millis(200), Duration::seconds(6)), [this, &node] {
    world_.note("thaw n" + std::to_string(node.number()));
    node.unfreeze();
  });
}

void SimCluster::heal_everything() {
  world_.note("everything heals");
  chaos_on_ = false;
  network_.heal();
  for (const auto& node : nodes_) {
    node->unfreeze();
    if (node->is_ending()) node->crash();
    if (!node->is_up() && !node->has_left()) node->boot();
  }
  if (options_.upgrades) finish_upgrades();
}

// ---- phases -------------------------------------------------------------------------------------

void SimCluster::chaos_phase() {
  for (int i = 0; i < options_.nodes; ++i) {
    SimNode* const node = nodes_[static_cast<size_t>(i)].get();
    world_.after(world_.between(Duration{0}, Duration::millis(800)), [node] {
      if (!node->is_up()) node->boot();
    });
  }
  if (options_.grows) draw_growth();
  if (options_.upgrades) draw_upgrades();
  for (const auto& client : clients_) {
    world_.after(world_.between(Duration::seconds(1), Duration::seconds(6)),
                 [&client] { client->start(); });
  }
  if (any_faults_) {
    chaos_on_ = true;
    world_.after(Duration::seconds(4), [this] { schedule_fault(); });
  }
  watch_queues();
  if (backups_) take_backups();
  world_.run_until(Instant{} + options_.chaos);
}

void SimCluster::healing_phase() {
  heal_everything();
  if (options_.grows) finish_leaving();
  const Instant healed = world_.now();
  while (world_.now() < healed + kHealing) {
    world_.run_until(world_.now() + Duration::millis(20));
    const bool all = std::all_of(nodes_.begin(), nodes_.end(),
                                 [](const auto& node) { return node->is_ready(); });
    if (!all) rejoined_ = world_.now() - healed;
  }
  check_ready("after healing");
}

void SimCluster::settling_phase() {
  world_.run_until(world_.now() + Duration::seconds(3));
  for (const auto& client : clients_) client->stop_publishing();
  world_.run_until(world_.now() + kSettling);
  check_ready("at the end");
  check_settled();
}

void SimCluster::probe_phase() {
  const size_t chains = history_.chains().size();
  for (const auto& client : clients_) {
    if (client->plan().topics.empty() || !client->connected()) continue;
    for (const char* topic : kTopics) {
      client->publish_now(topic, Qos::k0);
      client->publish_now(topic, static_cast<Qos>(1 + world_.random().below(2)));
    }
    if (client->plan().retains) {
      client->publish_now(retained_topic_of(client->number()), Qos::k1, true);
    }
  }
  const Instant sent_from = world_.now();
  world_.run_until(world_.now() + kProbing);
  // What waits for a durable session since the faults comes before the probes, in order.
  while (world_.now() - history_.last_delivery() < kPause &&
         world_.now() < sent_from + kCatchingUp) {
    world_.run_until(world_.now() + Duration::seconds(1));
  }
  for (const auto& [key, message] : history_.all_published()) {
    if (message.first_sent >= sent_from && !message.will) probes_.push_back(key);
  }
  check_probes(chains);
}

// A newcomer gets what is retained; half of those that have a will vanish, half say goodbye.
void SimCluster::farewell_phase() {
  ClientPlan plan;
  plan.client_id = "late";
  plan.subscriptions = {{.filter = "r/#", .qos = Qos::k1}, {.filter = "will/+", .qos = Qos::k2}};
  SimClient& late = add_client(std::move(plan));
  late.start();
  world_.run_until(world_.now() + kProbing);
  check_newcomer(late);

  std::vector<MessageKey> due, discarded;
  for (const auto& client : clients_) {
    if (!client->will() || !client->connected() || client->plan().client_id == kTwin) continue;
    const bool vanishes = world_.random().one_in(2);
    (vanishes ? due : discarded).push_back(*client->will());
    if (!vanishes) client->say_goodbye();
    client->vanish();
  }
  world_.run_until(world_.now() + kProbing);
  const Chain& watching = history_.chain(late.chain());
  for (const MessageKey& will : due) {
    if (!has(watching, will)) violation("P7: the will of a client that vanished did not come");
  }
  for (const MessageKey& will : discarded) {
    if (has(watching, will)) violation("the will of a client that said goodbye came");
  }
}

SimResult SimCluster::run() {
  chaos_phase();
  healing_phase();
  settling_phase();
  probe_phase();
  check_nodes_agree();
  check_level();
  if (options_.upgrades) check_upgraded();
  check_stores();
  check_one_connection_each();
  farewell_phase();
  clean_start_phase();

  SimResult result;
  result.violations = check_history(history_);
  result.trace_hash = world_.trace_hash();
  result.events = world_.events();
  result.faults = faults_struck_;
  result.rejoined = rejoined_;
  if (backups_) result.backups = backups_->whole();
  for (const auto& node : nodes_) result.moves += node->client_moves();
  for (const auto& [key, message] : history_.all_published()) {
    ++result.published;
    result.acknowledged += message.acked.has_value();
  }
  for (const Chain& chain : history_.chains()) result.delivered += chain.deliveries.size();
  return result;
}

SimResult run_simulation(const SimOptions& options) { return SimCluster(options).run(); }

}  // namespace shoal::sim
