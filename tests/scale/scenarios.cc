#include "tests/scale/scenarios.h"

#include <algorithm>
#include <utility>

namespace shoal::scale {
namespace {

constexpr Duration kPatience = Duration::seconds(120);
constexpr Duration kQuiet = Duration::seconds(2);    // what is on its way arrives
constexpr Duration kOutage = Duration::seconds(10);  // a crash is over

// Clients are dealt to the places in turn.
int node_of(const ScaleCluster& cluster, uint64_t client) {
  return static_cast<int>(client % static_cast<uint64_t>(cluster.size()));
}

// Each worker of each node wants all of the shared filters.
void want_shared(ScaleCluster& cluster) {
  std::vector<std::string> filters;
  for (uint64_t i = 0; i < cluster.options().shared_filters; ++i) {
    filters.push_back("fleet/" + std::to_string(i) + "/broadcast");
  }
  if (filters.empty()) return;
  for (int n = 0; n < cluster.size(); ++n) {
    for (int w = 0; w < cluster.options().workers; ++w) cluster.want(n, w, filters);
  }
}

// In each turn of the workers, those that come in it.
void ramp(ScaleCluster& cluster) {
  const ScaleOptions& options = cluster.options();
  const auto nodes = static_cast<uint64_t>(options.nodes);
  const auto workers = static_cast<uint64_t>(options.workers);
  const double a_turn =
      options.rate * static_cast<double>(nodes) * static_cast<double>(options.turn.ns) / 1e9;
  double due = 0;
  for (uint64_t next = 0; next < options.clients;) {
    due += a_turn;
    std::vector<std::vector<std::string>> wanted(nodes * workers);
    for (; due >= 1 && next < options.clients; due -= 1, ++next) {
      const uint64_t place = next % nodes * workers + next / nodes % workers;
      wanted[place].push_back(ScaleCluster::filter_of(next));
    }
    for (uint64_t place = 0; place < wanted.size(); ++place) {
      if (wanted[place].empty()) continue;
      cluster.want(static_cast<int>(place / workers), static_cast<int>(place % workers),
                   std::move(wanted[place]));
    }
    cluster.run_for(options.turn);
  }
}

uint64_t batches_of(ScaleCluster& cluster) {
  uint64_t batches = 0;
  for (int n = 0; n < cluster.size(); ++n) {
    for (int w = 0; w < cluster.options().workers; ++w) {
      batches += cluster.node(n).worker(w).last_batch();
    }
  }
  return batches;
}

}  // namespace

Founding found(ScaleCluster& cluster) {
  const Instant begin = cluster.world().now();
  Founding founding;
  founding.is_done =
      cluster.run_until([&cluster] { return cluster.are_all_ready() && cluster.do_all_promise(); },
                        kPatience, Duration::millis(10));
  founding.took = cluster.world().now() - begin;
  return founding;
}

Coming come(ScaleCluster& cluster) {
  want_shared(cluster);
  Coming coming;
  const auto is_synced = [&cluster] { return cluster.is_all_synced(); };
  if (!cluster.run_until(is_synced, kPatience)) return coming;
  cluster.run_for(kQuiet);
  cluster.take_suback_waits();
  cluster.take_lapses();
  const Usage before = cluster.usage();
  const uint64_t batches_before = batches_of(cluster);
  const Duration worker_before = cluster.node(0).worker_worked(0);
  ramp(cluster);
  const Instant last = cluster.world().now();
  coming.ramp = last - before.at;
  const bool is_done = cluster.run_until(is_synced, kPatience);
  coming.synced = cluster.world().now() - last;
  coming.is_done =
      is_done && cluster.run_until([&cluster] { return cluster.do_digests_agree(); }, kPatience);
  coming.agreed = cluster.world().now() - last;
  coming.waits = cluster.take_suback_waits();
  coming.lapses = cluster.take_lapses();
  coming.used = cluster.usage().since(before);
  coming.worker = cluster.node(0).worker_worked(0) - worker_before;
  coming.batches = batches_of(cluster) - batches_before;
  coming.routes = cluster.node(0).hub().status(cluster.node(0).now()).routes;
  return coming;
}

Idle idle(ScaleCluster& cluster, Duration time) {
  cluster.run_for(kQuiet);
  cluster.take_lapses();
  const Usage before = cluster.usage();
  cluster.run_for(time);
  return {.took = time, .used = cluster.usage().since(before), .lapses = cluster.take_lapses()};
}

Churn churn(ScaleCluster& cluster, Duration time) {
  const ScaleOptions& options = cluster.options();
  cluster.run_for(kQuiet);
  cluster.take_suback_waits();
  cluster.take_connack_waits();
  cluster.take_lapses();
  Churn churn{.took = time};
  const Usage before = cluster.usage();
  const Instant begin = cluster.world().now();
  const double a_second = static_cast<double>(options.clients) / 100 / 60;
  const auto moves = static_cast<uint64_t>(a_second * static_cast<double>(time.ns) / 1e9);
  // Each client once, so that it is where it was dealt to.
  const uint64_t stride = std::max<uint64_t>(1, options.clients / std::max<uint64_t>(1, moves));
  for (; churn.moves < moves && cluster.size() > 1; ++churn.moves) {
    const auto at = static_cast<int64_t>(static_cast<double>(churn.moves) / a_second * 1e9);
    cluster.world().at(begin + Duration{at}, [&cluster, &options, client = churn.moves * stride] {
      const int from = node_of(cluster, client);
      const auto other = static_cast<int>(
          1 + cluster.world().random().below(static_cast<uint64_t>(cluster.size()) - 1));
      const auto worker = static_cast<int>(client / static_cast<uint64_t>(options.nodes) %
                                           static_cast<uint64_t>(options.workers));
      cluster.want_no_more(from, worker, {ScaleCluster::filter_of(client)});
      cluster.connect((from + other) % cluster.size(), worker, client);
    });
  }
  cluster.run_for(time);
  churn.is_done = cluster.run_until([&cluster] { return cluster.is_all_synced(); }, kPatience);
  churn.used = cluster.usage().since(before);
  churn.connack = cluster.take_connack_waits();
  churn.suback = cluster.take_suback_waits();
  churn.lapses = cluster.take_lapses();
  return churn;
}

Fan fan_out(ScaleCluster& cluster, uint64_t messages, uint64_t batch, size_t payload) {
  cluster.run_for(kQuiet);
  Fan fan{.messages = messages, .batch = batch};
  const std::vector<uint8_t> bytes(payload, 'x');
  const std::string topic = ScaleCluster::filter_of(0);
  MessageView view;
  view.qos = Qos::k1;
  view.topic = topic;
  view.payload = bytes;
  const std::vector<MessageRef> turn(batch, Message::create(view));
  ScaleNode& node = cluster.node(0);
  const Usage before = cluster.usage();
  fan.is_done = true;
  for (uint64_t sent = 0; sent < messages && fan.is_done; sent += batch) {
    const Instant begin = cluster.world().now();
    const uint64_t wanted =
        node.worker(0).accepted() + batch * (static_cast<uint64_t>(cluster.size()) - 1);
    node.at_worker(
        0, [turn, &node](ScaleWorker& worker) { worker.forward(turn, 0, node.now().mono); });
    fan.is_done = cluster.run_until([&] { return node.worker(0).accepted() == wanted; }, kPatience,
                                    Duration{50'000});
    fan.took = cluster.world().now() - begin;
  }
  fan.used = cluster.usage().since(before);
  return fan;
}

Return come_back(ScaleCluster& cluster) {
  Return back;
  cluster.run_for(kQuiet);
  back.routers_bytes = cluster.node(0).drop_routers();
  cluster.take_lapses();
  back.hub_bytes = cluster.crash(0);
  cluster.run_for(kOutage);
  if (!cluster.do_all_promise()) return back;
  back.outage = cluster.take_lapses() / std::max(1, cluster.size() - 1);

  const Usage before = cluster.usage();
  const Duration worker_before = cluster.node(0).worker_worked(0);
  cluster.boot(0);
  back.is_done = cluster.run_until(
      [&cluster] { return cluster.node(0).is_ready() && cluster.node(0).has_leases(); }, kPatience);
  back.ready = cluster.world().now() - before.at;
  back.used = cluster.usage().since(before);
  back.worker = cluster.node(0).worker_worked(0) - worker_before;
  back.routes = cluster.node(0).hub().status(cluster.node(0).now()).routes;
  back.is_done = back.is_done &&
                 cluster.run_until([&cluster] { return cluster.do_digests_agree(); }, kPatience);
  return back;
}

}  // namespace shoal::scale
