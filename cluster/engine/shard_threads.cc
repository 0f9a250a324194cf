#include "cluster/engine/shard_threads.h"

#include <atomic>
#include <chrono>
#include <map>
#include <utility>
#include <variant>

namespace shoal::engine {
namespace {

using replica::StoreEffects;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(50);

}  // namespace

class ShardThreads::Worker {
 public:
  struct Looking {
    Look look;
    std::shared_ptr<std::function<void()>> done;  // with the last of the threads
    std::shared_ptr<std::atomic<size_t>> left;
  };
  using Mail = std::variant<StoreEffects::ToShard, Looking>;

  Worker(Clock clock, const Make& make, StateFlusher& flusher, StoreSink& sink)
      : clock_(clock), make_(make), flusher_(flusher), sink_(sink) {}

  void add(ShardReplica replica) { places_[replica.shard].replica = std::move(replica); }
  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    inbox_.close();
    if (thread_.joinable()) thread_.join();
  }

  // The posting thread's.
  std::vector<Mail> posted;
  void post() { inbox_.post_all(posted); }

 private:
  struct Place {
    ShardReplica replica;
    bool is_touched = false;
    StateFlusher::Progress progress;  // since it was committed last
  };

  void run() {
    auto next_tick = SteadyClock::now() + kTick;
    std::vector<Mail> mails;
    while (inbox_.take(mails, next_tick)) {
      for (Mail& mail : mails) std::visit([this](auto& each) { give(each); }, mail);
      mails.clear();
      if (const auto now = SteadyClock::now(); now >= next_tick) {
        next_tick = now + kTick;
        tick();
      }
      if (!end_turn()) return;
    }
  }

  void give(StoreEffects::ToShard& mail) {
    if (!places_.contains(mail.shard)) add(make_(mail.shard));
    Place& place = places_.at(mail.shard);
    place.is_touched = true;
    if (const auto* const committed = std::get_if<replica::Committed>(&mail.mail)) {
      place.progress.entries += committed->entries.size();
      for (const raft::Entry& entry : committed->entries) place.progress.bytes += entry.size();
    }
    place.replica.host->on(std::move(mail.mail), clock_());
  }

  void give(Looking& looking) {
    for (const auto& [shard, place] : places_) looking.look(shard, place.replica.host->server());
    if (--*looking.left == 0) (*looking.done)();
  }

  void tick() {
    for (auto& [shard, place] : places_) {
      place.is_touched = true;
      place.replica.host->on_tick(clock_());
    }
  }

  // False: something failed, of which nothing may leave.
  bool end_turn() {
    std::vector<StoreSink::Host> hosts;
    std::vector<StateFlusher::Progress> progress;
    for (auto& [shard, place] : places_) {
      if (!std::exchange(place.is_touched, false)) continue;
      replica::ShardHost& host = *place.replica.host;
      replica::HostEffects effects = host.end_turn();
      if (!is_well(shard, host)) return false;
      if (!effects.empty()) hosts.push_back({shard, std::move(effects)});
      if (place.progress.committed == host.committed()) continue;
      place.progress.shard = shard;
      place.progress.committed = host.committed();
      progress.push_back(place.progress);
      place.progress.entries = place.progress.bytes = 0;
    }
    if (!hosts.empty()) sink_.on_hosts(std::move(hosts));
    if (!progress.empty()) flusher_.note(progress);
    return true;
  }

  bool is_well(uint32_t shard, const replica::ShardHost& host) {
    if (!host.status().ok()) {
      sink_.on_store_failed(std::string(host.status().message()));
      return false;
    }
    if (host.server().is_too_new()) {
      sink_.on_store_failed("shard " + std::to_string(shard) +
                            ": its log was written by a later version of this program");
      return false;
    }
    return true;
  }

  const Clock clock_;
  const Make make_;
  StateFlusher& flusher_;
  StoreSink& sink_;
  Inbox<Mail> inbox_;
  std::map<uint32_t, Place> places_;
  std::thread thread_;
};

ShardThreads::ShardThreads(std::vector<ShardReplica> replicas, int threads, Clock clock, Make make,
                           StateFlusher& flusher, StoreSink& sink) {
  for (int i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(clock, make, flusher, sink));
  }
  for (ShardReplica& each : replicas) {
    workers_[each.shard % workers_.size()]->add(std::move(each));
  }
  for (const auto& worker : workers_) worker->start();
}

ShardThreads::~ShardThreads() { stop(); }

void ShardThreads::post(std::vector<StoreEffects::ToShard>& mails) {
  for (StoreEffects::ToShard& each : mails) {
    workers_[each.shard % workers_.size()]->posted.emplace_back(std::move(each));
  }
  mails.clear();
  for (const auto& worker : workers_) worker->post();
}

void ShardThreads::look(const Look& look, std::function<void()> done) {
  const Worker::Looking looking{look, std::make_shared<std::function<void()>>(std::move(done)),
                                std::make_shared<std::atomic<size_t>>(workers_.size())};
  for (const auto& worker : workers_) {
    worker->posted.emplace_back(looking);
    worker->post();
  }
}

void ShardThreads::stop() {
  for (const auto& worker : workers_) worker->stop();
}

}  // namespace shoal::engine
