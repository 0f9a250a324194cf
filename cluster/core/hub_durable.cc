// The store in the hub: when it opens, who is gone, and whether this node may promise anything.
#include <absl/strings/str_format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "cluster/core/hub_core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr uint64_t kGroupIncarnation = 1;

}  // namespace

// ---- opening ------------------------------------------------------------------------------------

void HubCore::open_store() {
  if (!store_ || !cluster_ || is_store_asked_) return;
  if (store_founding_.shards == 0 || store_founding_.shards > kShardsMax) {
    context_.log(HubEffects::Log::Level::kError,
                 "the data directory is of a version without durable sessions");
    return;
  }
  is_store_asked_ = true;
  StorePlan plan{.shards = store_founding_.shards,
                 .cluster_seed = store_seed(cluster_, store_founding_),
                 .found = !is_store_founded_,
                 .groups = {},
                 .self = context_.self};
  for (uint32_t shard = 0; shard < plan.shards; ++shard) {
    const raft::Configuration voters = founding_voters(store_founding_, shard);
    if (voters.find(context_.self) == nullptr) continue;
    plan.groups.push_back({{shard, kGroupIncarnation}, voters});
  }
  context_.effects.open_store = std::move(plan);
}

// That its part is on the disks is known durably before any of it is used: from then on a log that is
// not there was lost.
void HubCore::on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                            raft::LogReader& log, Now now) {
  context_.now = now;
  SHOAL_ASSERT(is_store_asked_);
  retained_.on_loaded(std::move(retained));
  auto open = [this, replicas = std::move(replicas), &log] {
    store_->open(store_founding_.shards, store_seed(cluster_, store_founding_), replicas, log);
    tell_store_of_the_left();
    send_states();  // sessions may begin
  };
  if (is_store_founded_) return open();
  is_store_founded_ = true;
  store(stored_state(), std::move(open));
}

// ---- events -------------------------------------------------------------------------------------

void HubCore::on_host(uint32_t shard, replica::HostEffects&& effects, Now now) {
  context_.now = now;
  store_->on_host(shard, std::move(effects));
}

void HubCore::on_persisted(raft::GroupId group, uint64_t number, Now now) {
  context_.now = now;
  store_->on_persisted(group, number);
}

void HubCore::on_flushed(uint32_t shard, uint64_t index, Now now) {
  context_.now = now;
  store_->on_flushed(shard, index);
}

void HubCore::on_retained_written(uint64_t number, Now now) {
  context_.now = now;
  retained_.on_written(number);
}

replica::StoreEffects* HubCore::end_turn(Now now) {
  if (!store_) return nullptr;
  context_.now = now;
  backing_up_->on_turn();
  replica::StoreEffects* const effects = store_->end_turn();
  if (effects != nullptr) {  // a leader may be known now, and its routes
    publish_ack_until();
    check_handed_over();
  }
  return effects;
}

void HubCore::tell_store_of_the_left() {
  if (!store_) return;
  for (const auto& [id, member] : members_.all()) {
    if (member.left) store_->on_gone(id, Life{std::numeric_limits<uint32_t>::max(), 0});
  }
}

// ---- promises -----------------------------------------------------------------------------------

// Who comes to hold leases has missed what was answered without it: it asks the leaders of all shards
// for their routes first. As long as it holds them, everyone who leads a shard waits for it.
bool HubCore::knows_shards(Instant until) {
  if (!store_) return true;
  if (until <= context_.now.mono) knows_shards_ = false;
  if (!knows_shards_) knows_shards_ = store_->is_ready();
  return knows_shards_;
}

std::string HubCore::why_store_not_ready() const {
  if (store_founding_.shards == 0) {
    return "the data directory is of a version without durable sessions";
  }
  if (!store_->is_open()) return "the store is being opened";
  std::string missing;
  int count = 0;
  for (uint32_t shard = 0; shard < store_founding_.shards; ++shard) {
    if (store_->store()->client().leader(shard).node) continue;
    missing += absl::StrFormat("%s%d", missing.empty() ? "" : ", ", shard);
    ++count;
  }
  if (count == 0) return "the shards' routes are not known yet";
  return absl::StrFormat("no leader of shard%s %s", count == 1 ? "" : "s", missing);
}

// ---- status -------------------------------------------------------------------------------------

ShardStatus HubCore::status_of(uint32_t shard) const {
  const replica::Store& store = *store_->store();
  ShardStatus status{.shard = shard,
                     .leader = store.client().leader(shard).node,
                     .term = store.client().leader(shard).term};
  const raft::RaftGroup* const group = store.groups().find(shard);
  if (group == nullptr || group->configuration() == nullptr) return status;
  status.is_here = true;
  status.is_leader = status.leader == context_.self;
  status.last = group->last();
  status.commit = group->commit();
  const replica::HostEffects::Figures& figures = store.figures(shard);
  status.applied = figures.applied;
  status.sessions = figures.sessions;
  status.attached = figures.attached;
  status.expired = figures.expired;
  status.queued = figures.queued;
  status.bytes = figures.bytes;
  status.outbox = figures.outbox;
  if (const raft::Configuration* const servers = group->configuration()) {
    for (const raft::Server& each : servers->servers) {
      ReplicaStatus replica{.node = each.id, .is_voter = each.role == raft::Role::kVoter};
      if (status.is_leader && each.id != context_.self) {
        replica.lag = group->lag(each.id);
      }
      status.replicas.push_back(replica);
    }
  }
  return status;
}

}  // namespace shoal
