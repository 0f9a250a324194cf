#include "cluster/core/store_plan.h"

#include <gtest/gtest.h>

#include "cluster/core/hub.h"

namespace shoal {
namespace {

StoredState stored(uint64_t seed) {
  StoredState state{.id = {7}, .incarnation = 2, .cluster = {3, 5}};
  state.members = {{.id = {7}, .name = "n", .address = "127.0.0.1:7883", .life = {1, 0}}};
  state.store = {.shards = 4, .replicas = 3, .founders = {{7}}, .seed = seed};
  state.has_store = true;
  return state;
}

uint64_t opened_with(const StoredState& state) {
  HubConfig config;
  config.node_name = "n";
  config.advertise = "127.0.0.1:7883";
  config.shards = 8;  // for a cluster that it founds: this one has four
  Hub hub(config, state, 1);
  hub.on_start(Now{Instant{1'000'000'000}, 1'790'000'000'000});
  EXPECT_TRUE(hub.effects().open_store.has_value());
  if (!hub.effects().open_store) return 0;
  EXPECT_EQ(hub.effects().open_store->shards, 4u);
  EXPECT_EQ(hub.effects().open_store->groups.size(), 4u);
  return hub.effects().open_store->cluster_seed;
}

// Slots of sessions and topics depend on it: a cluster that was restored keeps the one of before.
TEST(StorePlan, TheSeedIsTheClusterIdsOrTheFoundings) {
  EXPECT_EQ(opened_with(stored(0)), store_seed({3, 5}, {}));
  EXPECT_EQ(opened_with(stored(0x77d0)), 0x77d0u);
  EXPECT_NE(store_seed({3, 5}, {}), store_seed({3, 6}, {}));
}

}  // namespace
}  // namespace shoal
