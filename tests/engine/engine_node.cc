#include "tests/engine/engine_node.h"

#include <chrono>
#include <filesystem>
#include <utility>

namespace shoal::engine::test {
namespace {

constexpr uint64_t kClusterSeed = 5;

NodeOptions complete(NodeOptions options) {
  std::filesystem::create_directories(options.directory);
  options.engine.stores.directory = options.directory;
  options.engine.clock = clock_now;
  return options;
}

}  // namespace

Now clock_now() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {{std::chrono::nanoseconds(mono).count()},
          std::chrono::duration_cast<std::chrono::milliseconds>(wall).count()};
}

EngineNode::EngineNode(NodeOptions options)
    : options_(complete(std::move(options))), engine_(options_.engine, *this) {
  StorePlan plan{options_.shards, kClusterSeed, options_.found, {}, id()};
  raft::Configuration voters;
  for (int i = 1; i <= options_.nodes; ++i) {
    voters.servers.push_back({NodeId{static_cast<uint64_t>(i)}, raft::Role::kVoter});
  }
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    plan.groups.push_back({{shard, 1}, voters});
  }
  engine_.open(std::move(plan));
}

void EngineNode::post(Event event) {
  std::vector<Event> one;
  one.push_back(std::move(event));
  inbox_.post_all(one);
}

void EngineNode::on_store_open(std::vector<StoredReplica> replicas, StoredRetained,
                               raft::LogReader& log) {
  post(Open{std::move(replicas), &log});
}
void EngineNode::on_store_failed(std::string why) { post(std::move(why)); }
void EngineNode::on_hosts(std::vector<Host> hosts) { post(std::move(hosts)); }
void EngineNode::on_persisted(std::vector<Persisted> persisted) { post(std::move(persisted)); }
void EngineNode::on_flushed(std::vector<Flushed> flushed) { post(std::move(flushed)); }

void EngineNode::on(Open& event) {
  Store::Options options;
  options.self = id();
  options.incarnation = options_.incarnation;
  options.seed = options_.incarnation * 1000 + options_.id;
  options.shards = options_.shards;
  options.cluster_seed = kClusterSeed;
  options.trailing = options_.trailing;
  store_ = std::make_unique<Store>(
      options,
      Store::Surroundings{.tell_workers = [this](std::vector<PlacedRoute>) { return ++told_; },
                          .applied = [this] { return told_; },
                          .waited_for = [] { return std::vector<NodeId>(); }},
      *event.log);
  for (const StoredReplica& each : event.replicas) {
    store_->add(each.group, *each.recovered, clock_now());
  }
}

void EngineNode::on(std::string& why) {
  failure_ = std::move(why);
  ++failures_;
}

void EngineNode::on(std::vector<Host>& hosts) {
  for (Host& each : hosts) {
    installed_ += each.effects.is_installed ? 1 : 0;
    store_->on_host(each.shard, std::move(each.effects), clock_now());
  }
}

void EngineNode::on(std::vector<Persisted>& persisted) {
  ++persisted_;
  for (const Persisted& each : persisted) {
    store_->on_persisted(each.group, each.number, clock_now());
  }
}

void EngineNode::on(std::vector<Flushed>& flushed) {
  ++flushes_;
  for (const Flushed& each : flushed) store_->on_flushed(each.shard, each.index, clock_now());
}

void EngineNode::ask(ToStore mail) { store_->on_worker(0, std::move(mail), clock_now()); }

void EngineNode::turn(Duration wait) {
  if (store_) carry_out();
  events_.clear();
  inbox_.take(events_, std::chrono::steady_clock::now() + std::chrono::nanoseconds(wait.ns));
  for (Event& each : events_) {
    std::visit([this](auto& event) { on(event); }, each);
  }
  if (!store_) return;
  if (const Now now = clock_now(); now.mono >= next_tick_) {
    next_tick_ = now.mono + Duration::millis(50);
    store_->on_tick(now);
  }
  carry_out();
}

// As often as there is more: what is published goes to all shards, and to nobody live.
void EngineNode::carry_out() {
  for (;;) {
    StoreEffects& effects = store_->end_turn();
    engine_.carry_out(effects);
    StoreEffects taken = std::exchange(effects, {});
    for (auto& each : taken.frames) on_frame(std::move(each));
    for (auto& each : taken.mails) on_mail(std::move(each.mail));
    for (const StoreEffects::Publish& each : taken.publishes) {
      store_->on_targets(each.shard, {each.number, (uint64_t{1} << options_.shards) - 1});
      store_->on_published(each.shard, each.number);
    }
    for (StoreEffects::RetainedQuery& each : taken.retained_queries) {
      store_->on_retained(each.shard, {std::move(each.query), {}, {}, true});
    }
    if (taken.mails.empty() && taken.publishes.empty() && taken.retained_queries.empty()) return;
  }
}

bool EngineNode::run_until(const std::function<bool()>& is_done, Duration at_most) {
  const Instant give_up = clock_now().mono + at_most;
  while (!is_done()) {
    if (!failure_.empty() || clock_now().mono > give_up) return false;
    turn_all();
  }
  return true;
}

}  // namespace shoal::engine::test
