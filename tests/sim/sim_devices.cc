// The devices of a simulated cluster: what each subscribes to and publishes, how it reads, and which
// node it goes to.
#include <algorithm>
#include <set>

#include "tests/sim/sim_cluster.h"

namespace shoal::sim {
namespace {

const char* const kFilters[] = {"t/#", "t/+/a", "t/0/a", "t/0/+", "#",     "u/+",
                                "u/#", "+/0/b", "t/1/a", "r/#",   "will/+"};
const char* const kShared[] = {"$share/g/t/#", "$share/g/u/#", "$share/h/t/+/a"};

template <class T, size_t N>
const T& pick(Random& random, const T (&from)[N]) {
  return from[random.below(N)];
}

}  // namespace

std::optional<WillPlan> SimCluster::will_plan() {
  Random& random = world_.random();
  if (random.one_in(2)) return std::nullopt;
  return WillPlan{static_cast<Qos>(random.below(3)), static_cast<uint32_t>(random.below(3))};
}

// Half are durable, and some of these leave and come back.
void SimCluster::draw_session(ClientPlan& plan) {
  Random& random = world_.random();
  if (random.one_in(2)) return;
  plan.clean_start = false;
  plan.session_expiry_s = 600;
  plan.stays_away = random.one_in(2);
  if (random.one_in(2)) plan.receive_maximum = static_cast<uint16_t>(1 + random.below(20));
}

ClientPlan SimCluster::subscriber_plan(int number) {
  Random& random = world_.random();
  ClientPlan plan;
  plan.client_id = "sub" + std::to_string(number);
  plan.version = random.one_in(2) ? ProtocolVersion::kMqtt5 : ProtocolVersion::kMqtt311;
  draw_session(plan);
  const uint64_t filters = 1 + random.below(3);
  std::set<std::string> chosen;
  while (chosen.size() < filters) {
    const std::string filter = random.one_in(4) ? pick(random, kShared) : pick(random, kFilters);
    if (filter != "#" || asks_for_all_) chosen.insert(filter);
  }
  for (const std::string& filter : chosen) {
    plan.subscriptions.push_back(
        {.filter = filter, .qos = static_cast<Qos>(random.below(3)), .no_local = false});
  }
  plan.churns_subscriptions = random.one_in(3);
  plan.will = will_plan();
  return plan;
}

ClientPlan SimCluster::publisher_plan(int number) {
  Random& random = world_.random();
  ClientPlan plan;
  plan.client_id = "pub" + std::to_string(number);
  plan.version = random.one_in(2) ? ProtocolVersion::kMqtt5 : ProtocolVersion::kMqtt311;
  plan.window = 1 + random.below(8);
  plan.publish_every = Duration::millis(20 + static_cast<int64_t>(random.below(300)));
  const uint64_t topics = 1 + random.below(3);
  for (uint64_t i = 0; i < topics; ++i) plan.topics.push_back(pick(random, kTopics));
  if (random.one_in(3)) {  // it hears others, not itself
    plan.subscriptions.push_back({.filter = "t/#", .qos = Qos::k1, .no_local = true});
  }
  draw_session(plan);
  plan.retains = random.one_in(2);
  plan.will = will_plan();
  plan.says_goodbye = random.one_in(4);
  return plan;
}

void SimCluster::make_clients() {
  const int subscribers = 4 + static_cast<int>(world_.random().below(4));
  const int publishers = 3 + static_cast<int>(world_.random().below(3));
  std::vector<ClientPlan> plans;
  for (int i = 0; i < subscribers; ++i) plans.push_back(subscriber_plan(i));
  for (int i = 0; i < publishers; ++i) plans.push_back(publisher_plan(i));
  // Two devices that share a client id and take it from each other.
  ClientPlan twin = subscriber_plan(99);
  twin.client_id = kTwin;
  twin.version = ProtocolVersion::kMqtt5;  // who is told that it was taken over, and stops
  plans.push_back(twin);
  plans.push_back(twin);
  for (ClientPlan& plan : plans) {
    if (plan.client_id != kTwin) draw_pace(plan);
    add_client(std::move(plan));
  }
  add_kin();
  if (!asks_for_all_) add_probers();
}

// A shared subscription of which one member stays, and the others break off with messages unread
// where devices are slow.
void SimCluster::add_kin() {
  for (int i = 0; i < 3; ++i) {
    ClientPlan plan;
    plan.client_id = "kin" + std::to_string(i);
    plan.subscriptions = {{.filter = "$share/k/t/#", .qos = Qos::k2}};
    plan.stalls = plan.leaves_unread = i != 0 && faults_.slow_devices;
    add_client(std::move(plan));
  }
}

// As soon as a SUBACK is there, a message of that topic is sent by another, mostly at another node:
// nobody else asked for it, so that nobody but a node without the route can lose it.
void SimCluster::add_probers() {
  ClientPlan plan;
  plan.client_id = "asks";
  SimClient& subscriber = add_client(plan);
  plan.client_id = "tells";
  plan.window = 64;
  SimClient& publisher = add_client(plan);
  world_.after(Duration::seconds(7),
               [this, &subscriber, &publisher] { probe_suback(subscriber, publisher, 0); });
}

void SimCluster::probe_suback(SimClient& subscriber, SimClient& publisher, int number) {
  if (world_.now() >= Instant{} + options_.chaos) return;
  const std::string topic = "solo/" + std::to_string(number);
  subscriber.subscribe_now(topic, [this, &publisher, topic] {
    world_.after(Duration{1000}, [&publisher, topic] { publisher.publish_now(topic, Qos::k1); });
  });
  world_.after(
      world_.between(Duration::millis(5), Duration::millis(40)),
      [this, &subscriber, &publisher, number] { probe_suback(subscriber, publisher, number + 1); });
}

// Sessions that are kept, then clean starts of the same client ids, which end them [MQTT5-3.1.2-4], at
// whatever node: who comes back to keep one finds none.
void SimCluster::clean_start_phase() {
  std::vector<SimClient*> devices;
  for (const bool is_kept : {true, false, true}) {
    for (SimClient* const each : devices) {
      each->say_goodbye();
      each->vanish();
    }
    world_.run_until(world_.now() + Duration::seconds(2));
    devices = come_back(is_kept);
    for (const SimClient* const each : devices) {
      if (!each->connected()) return violation(each->plan().client_id + " has no connection");
    }
  }
  for (const SimClient* const each : devices) {
    if (!history_.chain(each->chain()).inherited) continue;
    violation(each->plan().client_id + " found a session that a clean start had ended");
  }
}

// At times a disk takes seconds for a write.
std::vector<SimClient*> SimCluster::come_back(bool is_kept) {
  std::vector<SimClient*> devices;
  for (int i = 0; i < 6; ++i) {
    ClientPlan plan;
    plan.client_id = "returns" + std::to_string(i);
    plan.version = i % 2 == 0 ? ProtocolVersion::kMqtt5 : ProtocolVersion::kMqtt311;
    plan.clean_start = !is_kept;
    plan.session_expiry_s = is_kept ? 600 : 0;
    devices.push_back(&add_client(std::move(plan)));
    devices.back()->start();
  }
  const Instant end = world_.now() + Duration::seconds(20);
  const auto is_connected = [](const SimClient* each) { return each->connected(); };
  while (world_.now() < end && !std::all_of(devices.begin(), devices.end(), is_connected)) {
    world_.run_until(world_.now() + Duration::millis(100));
  }
  return devices;
}

SimClient& SimCluster::add_client(ClientPlan plan) {
  // The dialling function needs the client, which does not exist yet.
  auto self = std::make_shared<SimClient*>(nullptr);
  const auto dial = [this, self](uint64_t connection) { return balance(*self, connection); };
  const int number = static_cast<int>(clients_.size());
  clients_.push_back(std::make_unique<SimClient>(world_, history_, number, std::move(plan), dial));
  *self = clients_.back().get();
  return **self;
}

// A balancer asks /readyz; some devices know node addresses and do not care. One that has a session
// mostly goes back to the node that keeps it.
std::unique_ptr<ClientPort> SimCluster::balance(SimClient*& client, uint64_t connection) {
  SimNode*& last = last_node_[client->number()];
  const bool stays = last != nullptr && client->plan().session_expiry_s != 0;
  if (stays && last->is_up() && !world_.random().one_in(4)) return last->dial(*client, connection);
  std::vector<SimNode*> candidates;
  const bool any = world_.random().one_in(5);
  for (const auto& node : nodes_) {
    if (node->is_up() && (any || node->is_ready())) candidates.push_back(node.get());
  }
  if (candidates.empty()) return nullptr;
  last = candidates[world_.random().below(candidates.size())];
  return last->dial(*client, connection);
}

}  // namespace shoal::sim
