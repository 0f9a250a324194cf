#include "tests/replica/devices.h"

#include <utility>

namespace shoal::replica::test {
namespace {

constexpr int kSubscribers = 4;
constexpr int kMembers = 3;
constexpr int kPublishers = 5;

// Little, so that much is new when its session breaks; at times more than a shard commits while one
// of its replicas is away.
constexpr uint64_t kStepsPerMessage = 60;
constexpr uint64_t kStepsPerBurst = 1'000;
constexpr Duration kBurst = Duration::millis(400);

Duration millis(uint64_t n) { return Duration::millis(static_cast<int64_t>(n)); }

}  // namespace

Devices::Devices(StoreCluster& cluster, const Before& before)
    : cluster_(cluster), workers_(cluster, before.claims), promises_(before.published) {
  for (int i = 0; i < kSubscribers; ++i) {
    add_subscriber("sub" + std::to_string(i), i % 2 == 0 ? Qos::k1 : Qos::k2, false);
  }
  for (int i = 0; i < kMembers; ++i) {
    add_subscriber("member" + std::to_string(i), i % 2 == 0 ? Qos::k2 : Qos::k1, true);
  }
  for (int i = 0; i < kPublishers; ++i) {
    publishers_.push_back(std::make_unique<Publisher>(
        workers_, promises_, before.publishers + std::to_string(i), i % 2 == 0));
    all_.push_back(publishers_.back().get());
  }
  cluster_.on_mail = [this](int node, WorkerIndex worker, FromStore&& mail) {
    if (const auto* const done = std::get_if<SessionDone>(&mail)) {
      return workers_.on_done(node, worker, *done);
    }
    for (Device* const each : all_) {
      if (const auto* m = std::get_if<SessionAttached>(&mail)) each->on(node, worker, *m);
      if (const auto* m = std::get_if<SessionEvict>(&mail)) each->on(node, *m);
      if (auto* m = std::get_if<SessionMessages>(&mail)) each->on(node, *m);
    }
  };
  cluster_.on_crash = [this](int node) {
    workers_.on_crash(node);
    for (Device* const each : all_) each->on_crash(node);
  };
}

void Devices::add_subscriber(std::string id, Qos qos, bool shares) {
  Random& random = cluster_.world().random();
  subscribers_.push_back(
      std::make_unique<Subscriber>(workers_, promises_,
                                   Subscriber::Plan{.id = std::move(id),
                                                    .qos = qos,
                                                    .shares = shares,
                                                    .is_patient = random.one_in(2),
                                                    .pace = millis(1 + random.below(10))}));
  all_.push_back(subscribers_.back().get());
}

void Devices::run() {
  cluster_.world().after(millis(5), [this] {
    step();
    run();
  });
}

void Devices::step() {
  for (Device* const each : all_) {
    if (each->has_session() && cluster_.is_overlooked(each->id())) {
      cluster_.violations.push_back("of " + each->id() + " nothing is stored, says the leader");
    }
    move(*each);
    if (each->is_attached()) each->go_on(is_quiet_);
  }
  if (is_quiet_) return;
  Random& random = cluster_.world().random();
  const Instant now = cluster_.world().now();
  if (random.one_in(kStepsPerBurst)) burst_until_ = now + kBurst;
  for (int node = 0; node < cluster_.nodes(); ++node) {
    if (now < burst_until_ || random.one_in(kStepsPerMessage)) publish_live(node);
  }
}

void Devices::move(Device& device) {
  Random& random = cluster_.world().random();
  if (device.is_away()) {
    if (is_quiet_ || random.one_in(20)) device.connect();
  } else if (device.is_attached()) {
    if (!is_quiet_ && random.one_in(200)) device.close();
  } else if (!device.is_patient() && random.one_in(300)) {
    device.close();  // tries elsewhere
  }
}

// Of clients whose sessions are not durable: once each, never again.
void Devices::publish_live(int node) {
  if (!cluster_.is_up(node) || !cluster_.may_publish(node)) return;
  Random& random = cluster_.world().random();
  const auto worker =
      static_cast<WorkerIndex>(random.below(static_cast<uint64_t>(cluster_.options().workers)));
  const std::string payload =
      promises_.publish("live" + std::to_string(node) + "." +
                        std::to_string(cluster_.incarnation(node)) + "." + std::to_string(worker));
  const Qos qos = random.one_in(2) ? Qos::k1 : Qos::k2;
  ShardPublish plain;
  plain.shards = cluster_.shards_of(node, kTopic);
  plain.message = message_of(payload, qos);
  ShardPublish shared = plain;
  shared.shared = kGroup;
  shared.shards = cluster_.shards_of(node, kGroup);
  if (plain.shards == 0) {
    promises_.promise(payload);
  } else {
    workers_.ask(node, worker, std::move(plain),
                 [this, payload](bool) { promises_.promise(payload); });
  }
  if (shared.shards == 0) {
    promises_.promise_group(payload);
  } else {
    workers_.ask(node, worker, std::move(shared),
                 [this, payload](bool) { promises_.promise_group(payload); });
  }
}

uint64_t Devices::received() const {
  uint64_t sum = 0;
  for (const auto& each : subscribers_) sum += each->received();
  return sum;
}

std::vector<Reader> Devices::readers() const {
  std::vector<Reader> all;
  for (const auto& each : subscribers_) all.push_back(each->reader());
  return all;
}

bool Devices::is_settled() const {
  std::vector<std::string> open;
  for (const Device* const each : all_) each->check(open);
  return open.empty();
}

void Devices::check() {
  std::vector<const Reader*> readers;
  for (const auto& each : subscribers_) readers.push_back(&each->reader());
  promises_.check(readers, cluster_.violations);
  for (const Device* const each : all_) each->check(cluster_.violations);
}

}  // namespace shoal::replica::test
