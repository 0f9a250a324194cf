#include "cluster/core/placement_targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "shoal/random.h"

namespace shoal {
namespace {

using Targets = std::vector<std::vector<NodeId>>;

struct DrawnCluster {
  std::vector<TargetNode> nodes;
  uint32_t shards = 8;
  uint32_t replicas = 3;
};

TargetNode draw_node(Random& random, uint64_t zones, uint64_t weights) {
  return {NodeId{random.next()}, static_cast<uint32_t>(1 + random.below(weights)),
          zones == 1 ? "" : "z" + std::to_string(random.below(zones))};
}

DrawnCluster draw(Random& random, uint64_t zones, uint64_t weights) {
  DrawnCluster drawn;
  drawn.shards = static_cast<uint32_t>(1 + random.below(64));
  drawn.replicas = static_cast<uint32_t>(1 + random.below(7));
  for (uint64_t left = 1 + random.below(12); left != 0; --left) {
    drawn.nodes.push_back(draw_node(random, zones, weights));
  }
  return drawn;
}

Targets targets_of(const DrawnCluster& drawn) {
  return targets(drawn.nodes, drawn.shards, drawn.replicas);
}

std::map<uint64_t, uint32_t> counts_of(const Targets& placed) {
  std::map<uint64_t, uint32_t> counts;
  for (const auto& shard : placed) {
    for (const NodeId id : shard) ++counts[id.value];
  }
  return counts;
}

uint32_t moves(const Targets& from, const Targets& to) {
  uint32_t moved = 0;
  for (size_t shard = 0; shard < from.size(); ++shard) {
    for (const NodeId id : to[shard]) {
      moved += !std::binary_search(from[shard].begin(), from[shard].end(), id) ? 1 : 0;
    }
  }
  return moved;
}

TEST(Targets, EveryShardHasItsReplicasOnDifferentNodes) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const DrawnCluster drawn = draw(random, 1 + random.below(4), 1 + random.below(50));
    const Targets placed = targets_of(drawn);
    ASSERT_EQ(placed.size(), drawn.shards);
    for (const auto& shard : placed) {
      ASSERT_EQ(shard.size(), replica_count(drawn.replicas, drawn.nodes.size()));
      ASSERT_EQ(std::set<NodeId>(shard.begin(), shard.end()).size(), shard.size());
      ASSERT_TRUE(std::is_sorted(shard.begin(), shard.end()));
    }
  }
}

TEST(Targets, TheOrderOfTheNodesDoesNotMatter) {
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    DrawnCluster drawn = draw(random, 1 + random.below(4), 1 + random.below(50));
    const Targets placed = targets_of(drawn);
    for (size_t j = drawn.nodes.size(); j > 1; --j) {
      std::swap(drawn.nodes[j - 1], drawn.nodes[random.below(j)]);
    }
    ASSERT_EQ(targets_of(drawn), placed);
  }
}

// Nobody could give one replica to another so that both have nearer to their share.
TEST(Targets, NodesHaveReplicasByTheirWeight) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const DrawnCluster drawn = draw(random, 1, i % 2 == 0 ? 1 : 50);
    std::map<uint64_t, uint32_t> counts = counts_of(targets_of(drawn));
    for (const TargetNode& more : drawn.nodes) {
      for (const TargetNode& less : drawn.nodes) {
        const uint64_t has = counts[more.id.value];
        const uint64_t lacks = counts[less.id.value];
        if (has == 0 || lacks == drawn.shards) continue;  // of no shard two
        ASSERT_LE((2 * has - 1) * less.weight, (2 * lacks + 1) * more.weight)
            << has << " of weight " << more.weight << ", " << lacks << " of " << less.weight;
        ASSERT_TRUE(more.weight != less.weight || has <= lacks + 1);
      }
    }
  }
}

TEST(Targets, AHeavyNodeHasAReplicaOfEachShard) {
  const Targets placed = targets(
      {{NodeId{1}, 1000, ""}, {NodeId{2}, 1, ""}, {NodeId{3}, 1, ""}, {NodeId{4}, 1, ""}}, 9, 3);
  std::map<uint64_t, uint32_t> counts = counts_of(placed);
  EXPECT_EQ(counts[1], 9u);
  for (const uint64_t id : {2, 3, 4}) EXPECT_EQ(counts[id], 6u) << id;
}

// As evenly as the zones' nodes allow, which no single zone's loss makes worse.
TEST(Targets, AShardIsInAsManyZonesAsThereAre) {
  Random random(4);
  for (int i = 0; i < 2000; ++i) {
    const DrawnCluster drawn = draw(random, 1 + random.below(5), 1 + random.below(50));
    std::map<NodeId, std::string> zone_of;
    std::map<std::string, uint32_t> nodes_in;
    for (const TargetNode& each : drawn.nodes) {
      zone_of[each.id] = each.zone;
      ++nodes_in[each.zone];
    }
    for (const auto& shard : targets_of(drawn)) {
      std::map<std::string, uint32_t> in;
      for (const NodeId id : shard) ++in[zone_of[id]];
      ASSERT_EQ(in.size(), std::min(nodes_in.size(), shard.size()));
      for (const auto& [more, count] : in) {
        for (const auto& [less, nodes] : nodes_in) {
          ASSERT_TRUE(in[less] == nodes || count <= in[less] + 1) << more << " and " << less;
        }
      }
    }
  }
}

TEST(Targets, ZonesGoBeforeWeights) {
  const Targets placed = targets(
      {{NodeId{1}, 1, "a"}, {NodeId{2}, 9, "b"}, {NodeId{3}, 9, "b"}, {NodeId{4}, 9, "c"}}, 8, 3);
  std::map<uint64_t, uint32_t> counts = counts_of(placed);
  EXPECT_EQ(counts[1], 8u);
  EXPECT_EQ(counts[4], 8u);
  EXPECT_EQ(counts[2], 4u);
  EXPECT_EQ(counts[3], 4u);
}

// Of what must move, at least what the newcomer is to have, not much more is moved.
TEST(Targets, ANodeMoreMovesLittleMoreThanItsShare) {
  Random random(5);
  uint32_t least = 0;
  uint32_t moved = 0;
  for (int i = 0; i < 500; ++i) {
    DrawnCluster drawn = draw(random, 1, i % 2 == 0 ? 1 : 5);
    drawn.replicas = 3;
    while (drawn.nodes.size() < 4) drawn.nodes.push_back(draw_node(random, 1, 1));
    const Targets before = targets_of(drawn);
    drawn.nodes.push_back(draw_node(random, 1, 1));
    const Targets after = targets_of(drawn);
    least += counts_of(after)[drawn.nodes.back().id.value];
    moved += moves(before, after);
    ASSERT_EQ(moves(before, before), 0u);
  }
  EXPECT_LE(moved, least + least * 2 / 3);
  EXPECT_GE(moved, least);
}

TEST(Targets, ReplicasAreAnOddNumber) {
  EXPECT_EQ(replica_count(3, 5), 3u);
  EXPECT_EQ(replica_count(3, 2), 1u);
  EXPECT_EQ(replica_count(5, 4), 3u);
  EXPECT_EQ(replica_count(4, 9), 3u);
  EXPECT_EQ(replica_count(7, 0), 0u);
}

}  // namespace
}  // namespace shoal
