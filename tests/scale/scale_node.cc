#include "tests/scale/scale_node.h"

#include <utility>

#include "shoal/assert.h"
#include "tests/scale/heap.h"

namespace shoal::scale {
namespace {

constexpr int64_t kEpochMs = 1'700'000'000'000;
constexpr Duration kBooted = Duration::seconds(1000);
constexpr Duration kDisk = Duration::millis(1);

}  // namespace

ScaleNode::ScaleNode(World& world, Wires& wires, ScaleNodeConfig config)
    : world_(world),
      wires_(wires),
      config_(std::move(config)),
      store_(world),
      hub_thread_(world, config_.slowness,
                  {.end = [this] { end_hub_turn(); }, .carry = [this](Instant at) { carry(at); }}) {
  disk_.id = NodeId{world_.random().next() | 1};
  for (int i = 0; i < workers(); ++i) make_worker(i);
}

ScaleNode::~ScaleNode() = default;

Now ScaleNode::now() const {
  return {world_.now() + kBooted, kEpochMs + world_.now().ns / 1'000'000};
}

std::unique_ptr<ScaleWorker> ScaleNode::make_broker(int index) {
  return std::make_unique<ScaleWorker>(
      static_cast<WorkerIndex>(index),
      ScaleWorker::Reports{
          .on_synced = [this, index](uint64_t batch) { config_.on_synced(index, batch); },
          .on_claim = [this,
                       index](const ClaimAnswer& answer) { config_.on_claim(index, answer); }});
}

// Its work takes time where it is that of a broker.
void ScaleNode::make_worker(int index) {
  const SimThread::Turn turn{
      .end = [this, index] { workers_[index]->mails = workers_[index]->broker->end_turn(); },
      .carry = [this, index](Instant at) { carry_worker(index, at); }};
  workers_.push_back(
      std::make_unique<WorkerThread>(world_, config_.keeps_routes ? config_.slowness : 0, turn));
}

// ---- life and death -----------------------------------------------------------------------------

void ScaleNode::boot() {
  SHOAL_ASSERT(!is_up());
  ++life_;
  ++disk_.incarnation;
  for (int i = 0; i < workers(); ++i) {
    workers_[i]->broker = make_broker(i);
    worker(i).keep_routes(config_.keeps_routes);
  }
  hub_ = std::make_unique<Hub>(config_.hub, disk_, world_.random().next());
  wires_.attach(config_.number, config_.hub.advertise, *this);
  post_hub([this] { hub_->on_start(now()); });
  later(world_.between(Duration{0}, Hub::kTick), [this] { tick(); });
}

size_t ScaleNode::crash() {
  SHOAL_ASSERT(is_up());
  ++life_;
  wires_.detach(config_.number);
  hub_thread_.stop();
  for (const auto& each : workers_) each->thread.stop();
  if (store_.is_open()) store_.crash();
  retained_disk_.crash(0);
  const size_t before = heap_bytes();
  hub_.reset();
  return before - heap_bytes();
}

bool ScaleNode::has_leases() const {
  if (!is_up()) return false;
  for (int i = 0; i < workers(); ++i) {
    if (worker(i).ack_until() < now().mono) return false;
  }
  return true;
}

size_t ScaleNode::drop_routers() {
  const size_t before = heap_bytes();
  for (int i = 0; i < workers(); ++i) worker(i).keep_routes(false);
  return before - heap_bytes();
}

void ScaleNode::later(Duration delay, std::function<void()> what) {
  world_.after(delay, [this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

void ScaleNode::tick() {
  post_hub([this] { hub_->on_tick(now()); });
  later(Hub::kTick, [this] { tick(); });
}

// ---- events -------------------------------------------------------------------------------------

void ScaleNode::link_up(LinkId link, bool dialled, const std::string& address) {
  post_hub([this, link, dialled, address] { hub_->on_link_up(link, dialled, address, now()); });
}

void ScaleNode::link_down(LinkId link, const std::string& why) {
  post_hub([this, link, why] { hub_->on_link_down(link, why, now()); });
}

void ScaleNode::frame(LinkId link, Lane lane, FrameRef frame) {
  post_hub(
      [this, link, lane, frame = std::move(frame)] { hub_->on_frame(link, lane, *frame, now()); });
}

void ScaleNode::at_worker(int index, std::function<void(ScaleWorker&)> task) {
  workers_[index]->thread.post(
      [this, index, task = std::move(task)] { task(*workers_[index]->broker); });
}

void ScaleNode::carry_worker(int index, Instant done) {
  if (workers_[index]->mails.empty()) return;
  auto mails = std::make_shared<std::vector<ToHub>>(std::exchange(workers_[index]->mails, {}));
  const auto carry = [this, index, mails] {
    for (ToHub& mail : *mails) {
      auto shared = std::make_shared<ToHub>(std::move(mail));
      post_hub([this, index, shared] {
        hub_->on_worker(static_cast<WorkerIndex>(index), std::move(*shared), now());
      });
    }
  };
  if (done <= world_.now()) return carry();
  later(done - world_.now(), carry);
}

// ---- the hub's effects --------------------------------------------------------------------------

void ScaleNode::end_hub_turn() {
  if (replica::StoreEffects* const effects = hub_->end_turn(now())) {
    store_.carry_out(*effects);
    effects->clear();
  }
}

void ScaleNode::carry(Instant done) {
  if (hub_->effects().empty()) return;
  auto effects = std::make_shared<HubEffects>(std::exchange(hub_->effects(), {}));
  if (done <= world_.now()) return carry_now(*effects);
  later(done - world_.now(), [this, effects] { carry_now(*effects); });
}

void ScaleNode::carry_now(HubEffects& effects) {
  const int number = config_.number;
  for (const HubEffects::Dial& dial : effects.dials) wires_.dial(number, dial.link, dial.address);
  for (HubEffects::Send& send : effects.sends) {
    wires_.send(number, send.link, send.lane, std::move(send.frame));
  }
  for (const HubEffects::Close& close : effects.closes) wires_.close(number, close.link);
  for (const HubEffects::Mail& mail : effects.mails) {
    for (int i = 0; i < workers(); ++i) {
      if ((mail.workers >> i & 1) == 0) continue;
      auto copy = std::make_shared<ToWorker>(mail.mail);
      workers_[i]->thread.post([this, i, copy] { worker(i).on_mail(std::move(*copy), now()); });
    }
  }
  for (const HubEffects::Log& log : effects.logs) {
    if (log.level != HubEffects::Log::Level::kInfo) warnings_.push_back(log.line);
  }
  for (const HubEffects::Store& store : effects.stores) {
    later(kDisk, [this, store] {
      disk_ = store.state;
      post_hub([this, token = store.token] { hub_->on_stored(token, now()); });
    });
  }
  if (effects.open_store) open_store(*effects.open_store);
  if (effects.retained_writes.empty()) return;
  const size_t writes = effects.retained_writes.size();
  retained_disk_.begin(effects.retained_writes);
  later(kDisk, [this, writes] {
    const uint64_t number = retained_disk_.finish(writes);
    post_hub([this, number] { hub_->on_retained_written(number, now()); });
  });
}

// ---- the store ----------------------------------------------------------------------------------

void ScaleNode::open_store(const StorePlan& plan) {
  later(kDisk, [this, plan] {
    for (const StorePlan::Group& each : plan.groups) {
      if (!store_.has(each.id)) store_.found(each.id, each.voters);
    }
    store_.open(
        {.shards = plan.shards, .cluster_seed = plan.cluster_seed, .now = [this] { return now(); }},
        store_reports());
    post_hub([this] {
      std::vector<StoredReplica> replicas;
      for (auto& [group, recovered] : store_.recover()) {
        replicas.push_back({group, std::make_shared<raft::Recovered>(std::move(recovered))});
      }
      hub_->on_store_open(std::move(replicas), retained_disk_.load(), store_.log(), now());
    });
  });
}

replica::test::SimStore::Reports ScaleNode::store_reports() {
  return {
      .on_host =
          [this](uint32_t shard, replica::HostEffects&& effects) {
            auto shared = std::make_shared<replica::HostEffects>(std::move(effects));
            post_hub([this, shard, shared] { hub_->on_host(shard, std::move(*shared), now()); });
          },
      .on_persisted =
          [this](raft::GroupId group, uint64_t number) {
            post_hub([this, group, number] { hub_->on_persisted(group, number, now()); });
          },
      .on_flushed =
          [this](uint32_t shard, raft::Index index) {
            post_hub([this, shard, index] { hub_->on_flushed(shard, index, now()); });
          },
      .on_applied = [](uint32_t, raft::Index, uint64_t) {}};
}

}  // namespace shoal::scale
