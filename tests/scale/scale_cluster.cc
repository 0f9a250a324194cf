#include "tests/scale/scale_cluster.h"

#include <algorithm>

namespace shoal::scale {
namespace {

constexpr Duration kWatch = Duration::millis(1);
constexpr RouteWeight kWanted{1, 0};

std::string address_of(int number) { return "n" + std::to_string(number + 1) + ":7883"; }

std::string digits_of(uint64_t client) {
  const std::string digits = std::to_string(client);
  return std::string(16 - digits.size(), '0') + digits;
}

}  // namespace

Usage Usage::since(const Usage& before) const {
  Usage used = *this;
  for (size_t i = 0; i < nodes.size(); ++i) {
    used.nodes[i].sent -= before.nodes[i].sent;
    used.nodes[i].received -= before.nodes[i].received;
    used.nodes[i].hub = nodes[i].hub - before.nodes[i].hub;
  }
  return used;
}

Usage::Node Usage::total() const {
  Node total;
  for (const Node& node : nodes) {
    total.sent += node.sent;
    total.received += node.received;
    total.hub = total.hub + node.hub;
  }
  return total;
}

Duration Times::quantile(double share) {
  if (all.empty()) return {};
  const auto at =
      std::min(all.size() - 1, static_cast<size_t>(static_cast<double>(all.size()) * share));
  std::nth_element(all.begin(), all.begin() + static_cast<ptrdiff_t>(at), all.end());
  return all[at];
}

ScaleCluster::ScaleCluster(ScaleOptions options)
    : options_(options),
      world_(options.seed),
      wires_(world_, options.nodes, options.mbit, options.latency),
      places_(static_cast<size_t>(options.nodes * options.workers)),
      had_leases_(static_cast<size_t>(options.nodes)) {
  for (int i = 0; i < options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<ScaleNode>(world_, wires_, config_of(i)));
  }
  for (const auto& node : nodes_) node->boot();
  watch_leases();
}

ScaleCluster::~ScaleCluster() = default;

ScaleNodeConfig ScaleCluster::config_of(int number) {
  ScaleNodeConfig config{
      .number = number, .keeps_routes = number == 0, .slowness = options_.slowness};
  config.hub.node_name = "n" + std::to_string(number + 1);
  config.hub.advertise = address_of(number);
  for (int i = 0; options_.nodes > 1 && i < options_.nodes; ++i) {
    config.hub.join.push_back(address_of(i));
  }
  config.hub.expect = options_.nodes;
  config.hub.workers = options_.workers;
  config.hub.shards = options_.shards;
  config.on_synced = [this, number](int worker, uint64_t batch) {
    on_synced(number, worker, batch);
  };
  config.on_claim = [this, number](int worker, const ClaimAnswer& answer) {
    on_claim(number, worker, answer);
  };
  return config;
}

bool ScaleCluster::run_until(const std::function<bool()>& is_done, Duration at_most,
                             Duration step) {
  const Instant end = world_.now() + at_most;
  while (!is_done()) {
    if (world_.now() >= end) return false;
    world_.run_until(world_.now() + step);
  }
  return true;
}

void ScaleCluster::watch_leases() {
  for (int i = 0; i < size(); ++i) {
    const bool has = node(i).has_leases();
    if (had_leases_[i] && !has) lapses_ = lapses_ + kWatch;
    had_leases_[i] = had_leases_[i] || has;
  }
  world_.after(kWatch, [this] { watch_leases(); });
}

// ---- as it stands -------------------------------------------------------------------------------

Usage ScaleCluster::usage() const {
  Usage usage{.at = world_.now(), .nodes = {}};
  for (int i = 0; i < size(); ++i) {
    usage.nodes.push_back({wires_.sent(i), wires_.received(i), nodes_[i]->hub_worked()});
  }
  return usage;
}

std::vector<std::string> ScaleCluster::warnings() const {
  std::vector<std::string> all;
  for (const auto& node : nodes_) {
    for (const std::string& line : node->warnings()) all.push_back(line);
  }
  return all;
}

bool ScaleCluster::are_all_ready() {
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const auto& node) { return node->is_ready(); });
}

bool ScaleCluster::do_all_promise() const {
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const auto& node) { return !node->is_up() || node->has_leases(); });
}

bool ScaleCluster::do_digests_agree() const {
  uint64_t digest = 0;
  bool is_first = true;
  for (const auto& node : nodes_) {
    if (!node->is_up()) continue;
    const uint64_t own = node->hub().routes_digest();
    if (!is_first && own != digest) return false;
    digest = own;
    is_first = false;
  }
  return true;
}

bool ScaleCluster::is_all_synced() const {
  return std::all_of(places_.begin(), places_.end(), [](const Place& place) {
    return place.posted == 0 && place.batches.empty() && place.claims.empty();
  });
}

size_t ScaleCluster::crash(int number) {
  for (int w = 0; w < options_.workers; ++w) place(number, w) = {};
  had_leases_[number] = false;
  return node(number).crash();
}

// ---- clients ------------------------------------------------------------------------------------

std::string ScaleCluster::filter_of(uint64_t client) {
  return "devices/" + digits_of(client) + "/cmd";
}

std::string ScaleCluster::id_of(uint64_t client) { return "device-" + digits_of(client); }

void ScaleCluster::want(int node, int worker, std::vector<std::string> filters) {
  announce(node, worker, std::move(filters), kWanted);
}

void ScaleCluster::want_no_more(int node, int worker, std::vector<std::string> filters) {
  announce(node, worker, std::move(filters), {});
}

void ScaleCluster::announce(int number, int worker, std::vector<std::string> filters,
                            RouteWeight weight) {
  ++place(number, worker).posted;
  node(number).at_worker(worker, [this, number, worker, weight, filters = std::move(filters),
                                  asked = world_.now()](ScaleWorker& broker) {
    Place& at = place(number, worker);
    --at.posted;
    for (const std::string& filter : filters) broker.change(filter, weight);
    at.batches.emplace_back(broker.last_batch() + 1, asked);
  });
}

void ScaleCluster::on_synced(int number, int worker, uint64_t batch) {
  auto& batches = place(number, worker).batches;
  while (!batches.empty() && batches.front().first <= batch) {
    suback_waits_.add(world_.now() - batches.front().second);
    batches.pop_front();
  }
}

void ScaleCluster::connect(int number, int worker, uint64_t client) {
  place(number, worker).claims[id_of(client)] = {client, world_.now()};
  node(number).at_worker(worker, [client](ScaleWorker& broker) { broker.claim(id_of(client)); });
}

void ScaleCluster::on_claim(int number, int worker, const ClaimAnswer& answer) {
  Place& at = place(number, worker);
  const auto claim = at.claims.find(answer.client_id);
  if (claim == at.claims.end() || answer.outcome != ClaimAnswer::Outcome::kGranted) return;
  const auto [client, asked] = claim->second;
  at.claims.erase(claim);
  connack_waits_.add(world_.now() - asked);
  want(number, worker, {filter_of(client)});
}

}  // namespace shoal::scale
