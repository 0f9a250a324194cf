// A cluster of the store's simulation loses two of its three nodes for good, in the middle of what it does.
// The disks of the third become files, which are recovered as `shoal recover` does it; what comes of them
// goes on in the simulation, as a cluster of one.
#include "cluster/engine/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/engine/log_records.h"
#include "cluster/engine/opening.h"
#include "cluster/shard/shard_state.h"
#include "shoal/byte_view.h"
#include "shoal/random.h"
#include "tests/replica/devices.h"
#include "tests/storage/storage_fixture.h"

namespace shoal::engine {
namespace {

using replica::test::Devices;
using replica::test::Promises;
using replica::test::Reader;
using replica::test::SimStore;
using replica::test::StoreCluster;
using testing::IsEmpty;

constexpr uint32_t kShards = 3;
constexpr int kWorkers = 2;
constexpr int kNodes = 3;
constexpr int kSeeds = 12;
constexpr Duration kBusy = Duration::seconds(1);
constexpr int kSettlingSecondsMax = 120;

// What a replica had applied.
struct Applied {
  raft::Index index = 0;
  uint64_t hash = 0;
};

// The cluster as it was when it ended.
struct Ended {
  NodeId survivor;
  uint64_t incarnation = 0;
  std::vector<NodeId> lost;
  std::vector<SimStore::Held> held;  // by the survivor
  std::vector<Applied> applied;      // by shard
  bool has_all = false;              // that was ever committed: it could have led every shard
  Devices::Before before;
  std::vector<Reader> readers;
  std::set<std::string> plain;
  std::set<std::string> group;
};

auto end_of(const raft::Recovered& log) {
  const raft::Index last = log.first + log.log.size() - 1;
  const raft::Term term = !log.log.empty() ? log.log.back().term
                          : log.snapshot   ? log.snapshot->term
                                           : 0;
  return std::tuple(term, last);
}

bool has_all(StoreCluster& cluster, const std::vector<SimStore::Held>& held) {
  for (int node = 0; node < kNodes; ++node) {
    const std::vector<SimStore::Held> others = cluster.held(node);
    for (size_t i = 0; i < held.size(); ++i) {
      if (end_of(others[i].log) > end_of(held[i].log)) return false;
    }
  }
  return true;
}

Ended end_of_three(uint64_t seed) {
  Random random(seed);
  StoreCluster cluster({.seed = seed,
                        .nodes = kNodes,
                        .shards = kShards,
                        .workers = kWorkers,
                        .trailing = random.one_in(2) ? 20u : 200u});
  Devices devices(cluster);
  for (int i = 0; i < kNodes; ++i) cluster.start(i);
  devices.run();
  const auto millis_below = [&random](uint64_t most) {
    return Duration::millis(static_cast<int64_t>(random.below(most)));
  };
  cluster.world().run_until(Instant{} + Duration::seconds(2) + millis_below(1'000));
  const auto survivor = static_cast<int>(random.below(kNodes));
  if (random.one_in(2)) cluster.slow_down(survivor, Duration::seconds(5));  // it is behind
  if (random.one_in(2)) devices.quiet();
  cluster.world().run_until(cluster.world().now() + millis_below(600));

  Ended ended{.survivor = cluster.options().id_of(survivor),
              .incarnation = cluster.incarnation(survivor),
              .before = devices.now(),
              .readers = devices.readers(),
              .plain = devices.promises().plain(),
              .group = devices.promises().group()};
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    const shard::ShardState& state = cluster.server(survivor, shard).state();
    ended.applied.push_back({state.applied(), state.hash()});
  }
  for (int i = 0; i < kNodes; ++i) {
    cluster.crash(i);
    if (i != survivor) ended.lost.push_back(cluster.options().id_of(i));
  }
  ended.held = cluster.held(survivor);
  ended.has_all = has_all(cluster, ended.held);
  EXPECT_THAT(cluster.violations, IsEmpty());
  return ended;
}

class RecoverySim : public storage::StorageTest {
 protected:
  void write(const std::string& root, const std::vector<SimStore::Held>& held) {
    std::filesystem::create_directories(root + "/retained");
    const auto log = storage::LogStore::open(root + "/log", storage::Durability::kFsync);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->recover().ok());
    const auto state = storage::StateStore::open(root + "/shards", {});
    ASSERT_TRUE(state.ok()) << state.status();
    for (const SimStore::Held& each : held) {
      storage::RecoveredLog kept = log_of(each.group, each.log);
      if (each.log.snapshot) kept.state.snapshot = snapshot_text_of(*each.log.snapshot);
      const storage::LogWrite write{.group = kept.group,
                                    .state = kept.state,
                                    .first = kept.entries.empty() ? 0 : kept.entries.front().index,
                                    .entries = kept.entries};
      ASSERT_TRUE((*log)->write({&write, 1}).ok());
      const auto keys = (*state)->keys(each.group.shard);
      each.state.scan("", "", [&keys](std::string_view key, std::string_view value) {
        keys->put(key, value);
        return true;
      });
      ASSERT_TRUE(keys->commit().ok());
    }
    ASSERT_TRUE((*state)->flush().ok());
  }

  std::vector<SimStore::Held> read(const std::string& root) {
    const auto log = storage::LogStore::open(root + "/log", storage::Durability::kFsync);
    const auto state = storage::StateStore::open(root + "/shards", {});
    EXPECT_TRUE(log.ok() && state.ok());
    auto logs = (*log)->recover();
    EXPECT_TRUE(logs.ok()) << logs.status();
    std::vector<SimStore::Held> all;
    for (storage::RecoveredLog& each : *logs) {
      SimStore::Held& held = all.emplace_back();
      held.group = group_id_of(each.group);
      held.log = *recovered_of(std::move(each));
      (*state)->keys(held.group.shard)->scan("", "", [&held](std::string_view key, auto value) {
        held.state.put(key, value);
        return true;
      });
    }
    return all;
  }

  // By its report alone, and as a start finds it then.
  std::vector<SimStore::Held> recovered(const Ended& ended, const std::string& root) {
    write(root, ended.held);
    const auto replicas = held_replicas(root, kShards, StoreCluster::kClusterSeed);
    EXPECT_TRUE(replicas.ok()) << replicas.status();
    NodeReport report{.node = ended.survivor,
                      .incarnation = ended.incarnation,
                      .cluster = {1, 2},
                      .shards = kShards,
                      .held = *replicas};
    report.members.push_back({.id = ended.survivor});
    for (const NodeId lost : ended.lost) report.members.push_back({.id = lost});
    const auto plan = std::get<RecoveryPlan>(plan_recovery({report}, {"report"}));
    EXPECT_EQ(plan.lost, ended.lost);
    EXPECT_EQ(plan.shards.size(), kShards);
    for (const ShardRecovery& each : plan.shards) {
      EXPECT_EQ(each.kind, ShardRecovery::Kind::kAlone);
    }
    const absl::Status done = recover(root, ended.survivor, plan);
    EXPECT_TRUE(done.ok()) << done;
    OpeningOptions options;
    options.directory = root;
    {
      const auto opened = open_store(options, {.shards = kShards,
                                               .cluster_seed = StoreCluster::kClusterSeed,
                                               .found = false,
                                               .groups = {},
                                               .self = ended.survivor});
      EXPECT_TRUE(opened.ok()) << opened.status();
    }
    return read(root);
  }
};

// What the replica would come to at `index`, by its state and its log.
Applied applied_at(raft::Index index, const SimStore::Held& held) {
  shard::MemoryKeyValues values = held.state;
  shard::ShardState state({.cluster_seed = StoreCluster::kClusterSeed}, values);
  for (const raft::Entry& entry : held.log.log) {
    if (entry.kind != raft::EntryKind::kCommand || entry.index > index) continue;
    shard::Effects effects;
    state.apply(entry.index, text_of(raft::bytes_of(entry.payload)), effects);
  }
  return {state.applied(), state.hash()};
}

void expect_promises_kept(const Ended& ended, const std::vector<Reader>& after) {
  std::set<std::string> members;
  uint64_t group_first = UINT64_MAX;
  for (size_t i = 0; i < after.size(); ++i) {
    const Reader& before = ended.readers[i];
    ASSERT_EQ(before.id, after[i].id);
    if (before.shares) {
      group_first = std::min(group_first, before.first);
      members.insert(before.seen.begin(), before.seen.end());
      members.insert(after[i].seen.begin(), after[i].seen.end());
      continue;
    }
    for (const std::string& payload : ended.plain) {
      if (Promises::number_of(payload) < before.first || before.seen.contains(payload)) continue;
      EXPECT_TRUE(after[i].seen.contains(payload)) << before.id << " misses " << payload;
    }
    for (const std::string& payload : before.seen) {
      EXPECT_FALSE(after[i].fresh.contains(payload)) << before.id << " gets anew " << payload;
    }
  }
  for (const std::string& payload : ended.group) {
    if (Promises::number_of(payload) < group_first) continue;
    EXPECT_TRUE(members.contains(payload)) << "no member gets " << payload;
  }
}

void expect_goes_on(const Ended& ended, const std::vector<SimStore::Held>& held, uint64_t seed) {
  StoreCluster cluster({.seed = seed,
                        .nodes = 1,
                        .shards = kShards,
                        .workers = kWorkers,
                        .first_id = ended.survivor.value});
  cluster.take_over(held, ended.incarnation);
  Devices::Before before = ended.before;
  before.publishers = "new";
  Devices devices(cluster, before);
  cluster.start(0);
  cluster.forget_nodes(ended.lost);
  devices.run();
  cluster.world().run_until(Instant{} + kBusy);
  devices.quiet();
  bool is_settled = false;
  for (int i = 0; i < kSettlingSecondsMax && !is_settled; ++i) {
    cluster.world().run_until(cluster.world().now() + Duration::seconds(1));
    is_settled = cluster.is_settled() && devices.is_settled();
  }
  devices.check();
  cluster.check_replicas();
  EXPECT_THAT(cluster.violations, IsEmpty());
  EXPECT_GT(devices.promised(), 0u);
  EXPECT_GT(devices.received(), 0u);
  if (ended.has_all) expect_promises_kept(ended, devices.readers());
}

TEST_F(RecoverySim, WhatTheSurvivorHadIsThereAndItGoesOn) {
  int with_all = 0;
  int behind = 0;
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Ended ended = end_of_three(seed);
    const std::string root = path("seed" + std::to_string(seed));
    const std::vector<SimStore::Held> held = recovered(ended, root);
    ASSERT_EQ(held.size(), kShards);
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      EXPECT_EQ(held[shard].group, (raft::GroupId{shard, 2}));
      const Applied after = applied_at(ended.applied[shard].index, held[shard]);
      EXPECT_EQ(after.index, ended.applied[shard].index);
      EXPECT_EQ(after.hash, ended.applied[shard].hash);
    }
    expect_goes_on(ended, held, seed);
    ++(ended.has_all ? with_all : behind);
  }
  EXPECT_GT(with_all, 0);
  EXPECT_GT(behind, 0);
}

}  // namespace
}  // namespace shoal::engine
