#include "node/rules/place_set.h"

#include <gtest/gtest.h>

#include <set>

#include "shoal/random.h"

namespace shoal {
namespace {

std::set<Place> places_of(const PlaceSet& set) {
  std::set<Place> places;
  set.for_each([&places](NodeSlot node, uint64_t worker_mask) {
    EXPECT_NE(worker_mask, 0u);
    for (int worker = 0; worker < kWorkersMax; ++worker) {
      if (worker_mask >> worker & 1) {
        EXPECT_TRUE(places.insert({node, static_cast<WorkerIndex>(worker)}).second);
      }
    }
  });
  return places;
}

TEST(PlaceSet, AgreesWithASet) {
  Random random(5);
  for (const uint64_t nodes : {1, 2, 5}) {
    PlaceSet set;
    std::set<Place> model;
    for (int step = 0; step < 20'000; ++step) {
      // The largest node and worker are among them.
      const NodeSlot node = static_cast<NodeSlot>(UINT16_MAX - random.below(nodes));
      const Place place{node, static_cast<WorkerIndex>(random.one_in(2) ? 63 : random.below(2))};
      if (random.one_in(20)) {
        const size_t removed = std::erase_if(model, [&](Place each) { return each.node == node; });
        ASSERT_EQ(set.remove_node(node), removed != 0);
      } else if (random.one_in(2)) {
        ASSERT_EQ(set.add(place), model.insert(place).second);
      } else {
        ASSERT_EQ(set.remove(place), model.erase(place) == 1);
      }
      ASSERT_EQ(places_of(set), model) << "step " << step;
      ASSERT_EQ(set.contains(place), model.contains(place));
      ASSERT_EQ(set.empty(), model.empty());
    }
  }
}

TEST(PlaceSet, MovesAway) {
  PlaceSet from;
  for (NodeSlot node = 1; node <= 4; ++node) from.add({node, 1});
  PlaceSet to;
  to.add({9, 9});
  to = std::move(from);
  EXPECT_EQ(places_of(to).size(), 4u);
  const PlaceSet last(std::move(to));
  EXPECT_EQ(places_of(last).size(), 4u);
}

}  // namespace
}  // namespace shoal
