// A simulated node's part of the store: its disks, opened when the hub asks for them.
#include <utility>

#include "shoal/assert.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace shoal::sim {

void SimNode::open_store(const StorePlan& plan) {
  world_.after(world_.long_tailed(Duration::millis(3)), [this, plan, life = life_] {
    if (life != life_ || !is_up()) return;
    for (const StorePlan::Group& each : plan.groups) {
      if (store_.has(each.id)) continue;
      SHOAL_ASSERT(plan.found);
      store_.found(each.id, each.voters);
    }
    store_.open(
        {.shards = plan.shards, .cluster_seed = plan.cluster_seed, .now = [this] { return now(); }},
        store_reports());
    if (frozen_) store_.freeze();
    post(kHubThread, [this](Now now) {
      std::vector<StoredReplica> replicas;
      for (auto& [group, recovered] : store_.recover()) {
        replicas.push_back({group, std::make_shared<raft::Recovered>(std::move(recovered))});
      }
      hub().on_store_open(std::move(replicas), retained_disk_.load(), store_.log(), now);
    });
  });
}

void SimNode::write_retained(std::vector<HubEffects::RetainedWrite>& writes) {
  if (writes.empty()) return;
  retained_disk_.begin(writes);
  if (!std::exchange(is_writing_retained_, true)) sync_retained();
}

void SimNode::sync_retained() {
  const size_t count = retained_disk_.waiting();
  world_.after(world_.long_tailed(Duration::millis(1)), [this, count, life = life_] {
    if (life != life_ || !is_up()) return;
    const uint64_t number = retained_disk_.finish(count);
    post(kHubThread, [this, number](Now now) { hub().on_retained_written(number, now); });
    is_writing_retained_ = retained_disk_.is_waiting();
    if (is_writing_retained_) sync_retained();
  });
}

replica::test::SimStore::Reports SimNode::store_reports() {
  return {.on_host =
              [this](uint32_t shard, replica::HostEffects&& effects) {
                auto shared = std::make_shared<replica::HostEffects>(std::move(effects));
                post(kHubThread, [this, shard, shared](Now now) {
                  hub().on_host(shard, std::move(*shared), now);
                });
              },
          .on_persisted =
              [this](raft::GroupId group, uint64_t number) {
                post(kHubThread,
                     [this, group, number](Now now) { hub().on_persisted(group, number, now); });
              },
          .on_flushed =
              [this](uint32_t shard, raft::Index index) {
                post(kHubThread,
                     [this, shard, index](Now now) { hub().on_flushed(shard, index, now); });
              },
          .on_applied = on_applied};
}

}  // namespace shoal::sim
