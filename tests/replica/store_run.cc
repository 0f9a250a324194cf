#include "tests/replica/store_run.h"

#include <algorithm>

#include "tests/replica/backups.h"
#include "tests/replica/devices.h"
#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {
namespace {

constexpr Duration kFaulty = Duration::seconds(12);
constexpr Duration kRestarts = Duration::seconds(3);
constexpr int kQuietSecondsMax = 300;
// Between two faults at most, in ms. What a storm breaks needs its time to get anywhere.
constexpr uint64_t kPauseMax = 700;
constexpr uint64_t kPauseInStormMax = 4'000;

class Faults {
 public:
  explicit Faults(StoreCluster& cluster) : cluster_(cluster) {}

  void run_until(Instant end, uint64_t pause_max) {
    cluster_.world().after(millis_below(30, pause_max), [this, end, pause_max] {
      if (cluster_.world().now() > end) return;
      strike();
      run_until(end, pause_max);
    });
  }
  // Sessions that break all the time, with what is on their way.
  void storm_until(Instant end) {
    cluster_.world().after(millis_below(20, 320), [this, end] {
      if (cluster_.world().now() > end) return;
      const int a = any_node(), b = any_node();
      if (a != b) cluster_.reset(a, b);
      storm_until(end);
    });
  }
  uint64_t struck() const { return struck_; }

 private:
  Duration millis_below(uint64_t least, uint64_t most) {
    return Duration::millis(static_cast<int64_t>(least + random().below(most - least)));
  }
  Random& random() { return cluster_.world().random(); }
  int any_node() {
    return static_cast<int>(random().below(static_cast<uint64_t>(cluster_.nodes())));
  }
  // Often one that leads.
  int victim() {
    const auto shards = static_cast<uint64_t>(cluster_.options().shards);
    const int leader = cluster_.leader(static_cast<uint32_t>(random().below(shards)));
    return leader < 0 || random().one_in(2) ? any_node() : leader;
  }

  void strike() {
    ++struck_;
    const int a = victim();
    const int b = any_node();
    switch (random().below(9)) {
      case 0: return crash(a);
      case 1:
        if (random().one_in(4)) {  // the power of all of them
          for (int node = 0; node < cluster_.nodes(); ++node) crash(node);
        }
        return;
      case 2:
        if (a != b) cluster_.cut(a, b, true);
        return;
      case 3:
        for (int other = 0; other < cluster_.nodes(); ++other) {
          if (other != a) cluster_.cut(a, other, true);
        }
        return;
      case 4:
      case 5: return cluster_.heal();
      case 6:
        if (a != b) cluster_.reset(a, b);
        return;
      case 7:
        if (cluster_.is_up(a)) cluster_.freeze(a, millis_below(10, 2'500));
        return;
      default: return cluster_.slow_down(a, millis_below(10, 1'500));
    }
  }

  void crash(int node) {
    if (!cluster_.is_up(node)) return;
    cluster_.crash(node);
    cluster_.world().after(millis_below(1, 3'000), [this, node] {
      if (!cluster_.is_up(node)) cluster_.start(node);
    });
  }

  StoreCluster& cluster_;
  uint64_t struck_ = 0;
};

}  // namespace

StoreResult run_store(const StoreRun& run) {
  Random kind(run.seed);
  StoreCluster::Options options{.seed = run.seed, .nodes = run.nodes, .shards = 3, .workers = 2};
  if (kind.one_in(2)) options.unread_bytes = 4'000;
  // Where all takes longer, more is lost with a session, and more is crossed by its opposite.
  if (kind.one_in(2)) options.latency = Duration::millis(3);
  if (kind.one_in(2)) options.wake = Duration::millis(1);
  if (!kind.one_in(4)) options.trailing = 20;  // so that many need copies
  StoreCluster cluster(options);
  Devices devices(cluster);
  Faults faults(cluster);
  Backups backups(cluster, devices);
  for (int i = 0; i < run.nodes; ++i) cluster.start(i);
  devices.run();
  if (run.backups) backups.run();
  const Instant end = Instant{} + kFaulty;
  const bool has_storm = !kind.one_in(3);
  faults.run_until(end, has_storm ? kPauseInStormMax : kPauseMax);
  if (has_storm) faults.storm_until(end);
  cluster.world().run_until(end + kRestarts);  // all are up again
  cluster.heal();
  devices.quiet();
  bool is_settled = false;
  for (int i = 0; i < kQuietSecondsMax && !is_settled; ++i) {
    cluster.world().run_until(cluster.world().now() + Duration::seconds(1));
    is_settled = cluster.is_settled() && devices.is_settled();
  }
  devices.check();
  cluster.check_replicas();
  std::reverse(cluster.violations.begin(), cluster.violations.end());
  return {.violations = std::move(cluster.violations),
          .promised = devices.promised(),
          .received = devices.received(),
          .installed = cluster.installed(),
          .faults = faults.struck(),
          .restored = backups.restored()};
}

}  // namespace shoal::replica::test
