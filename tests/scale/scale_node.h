// One node of a large cluster: the production hub and the store's shards, on threads of the virtual clock,
// with workers that have no clients. Without faults, but that it may be killed and come back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/hub.h"
#include "tests/replica/sim_store.h"
#include "tests/scale/scale_worker.h"
#include "tests/scale/sim_thread.h"
#include "tests/scale/wires.h"
#include "tests/sim/retained_disk.h"

namespace shoal::scale {

struct ScaleNodeConfig {
  int number = 0;
  HubConfig hub{};
  bool keeps_routes = false;  // its workers have Routers
  double slowness = 0;        // SimThread
  std::function<void(int worker, uint64_t batch)> on_synced{};
  std::function<void(int worker, const ClaimAnswer&)> on_claim{};
};

class ScaleNode final : public NetworkEnd {
 public:
  ScaleNode(World& world, Wires& wires, ScaleNodeConfig config);
  ~ScaleNode() override;

  void boot();
  // As by kill -9: its disks stay as they are. The bytes of memory that its hub gave back.
  size_t crash();

  bool is_up() const { return hub_ != nullptr; }
  Hub& hub() { return *hub_; }
  NodeId id() const { return disk_.id; }
  Now now() const;
  bool is_ready() { return is_up() && hub_->status(now()).ready; }
  // All its workers may acknowledge.
  bool has_leases() const;

  ScaleWorker& worker(int index) { return *workers_[index]->broker; }
  const ScaleWorker& worker(int index) const { return *workers_[index]->broker; }
  int workers() const { return config_.hub.workers; }
  // On the worker's thread.
  void at_worker(int index, std::function<void(ScaleWorker&)> task);

  // The processor's time that its threads have worked.
  Duration hub_worked() const { return hub_thread_.worked(); }
  Duration worker_worked(int index) const { return workers_[index]->thread.worked(); }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Its workers know no routes any more: the bytes of memory that they gave back.
  size_t drop_routers();

  // ---- NetworkEnd
  void link_up(LinkId link, bool dialled, const std::string& address) override;
  void link_down(LinkId link, const std::string& why) override;
  void frame(LinkId link, Lane lane, FrameRef frame) override;

 private:
  struct WorkerThread {
    WorkerThread(World& world, double slowness, SimThread::Turn turn)
        : thread(world, slowness, std::move(turn)) {}
    std::unique_ptr<ScaleWorker> broker;
    SimThread thread;
    std::vector<ToHub> mails;  // of the turn
  };

  std::unique_ptr<ScaleWorker> make_broker(int index);
  void make_worker(int index);
  void later(Duration delay, std::function<void()> what);
  void post_hub(std::function<void()> task) { hub_thread_.post(std::move(task)); }
  void tick();
  void end_hub_turn();
  void carry(Instant done);
  void carry_now(HubEffects& effects);
  void carry_worker(int index, Instant done);
  void open_store(const StorePlan& plan);
  replica::test::SimStore::Reports store_reports();

  World& world_;
  Wires& wires_;
  const ScaleNodeConfig config_;
  StoredState disk_;
  replica::test::SimStore store_;
  sim::RetainedDisk retained_disk_;
  SimThread hub_thread_;
  std::unique_ptr<Hub> hub_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::vector<std::string> warnings_;
  uint64_t life_ = 0;  // what was planned in another is void
};

}  // namespace shoal::scale
