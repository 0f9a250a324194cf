#include "cluster/core/leadership.h"

#include <gtest/gtest.h>

#include <string>

namespace shoal {
namespace {

struct Row {
  const char* what;
  bool gives_all;
  std::vector<LeadershipView::Node> nodes;  // this node first
  std::vector<LeadershipView::Led> led;
  const char* handovers;
};

LeadershipView::Led led(uint32_t shard, std::initializer_list<uint64_t> able) {
  LeadershipView::Led led{.shard = shard};
  for (const uint64_t id : able) led.able.push_back(NodeId{id});
  return led;
}

LeadershipView::Node node(uint64_t id, uint32_t leads, uint32_t weight = 1) {
  return {NodeId{id}, weight, leads};
}

TEST(Leadership, Rows) {
  const Row rows[] = {
      {"level", false, {node(1, 2), node(2, 1), node(3, 1)}, {led(0, {2, 3}), led(1, {2, 3})}, ""},
      {"one at a time, to who has least",
       false,
       {node(1, 4), node(2, 2), node(3, 0)},
       {led(0, {2, 3}), led(1, {2, 3}), led(2, {2, 3}), led(3, {2, 3})},
       "0>3 "},
      {"who has least cannot",
       false,
       {node(1, 4), node(2, 3), node(3, 0)},
       {led(0, {2}), led(1, {2}), led(2, {2, 3}), led(3, {2})},
       "2>3 "},
      {"weights", false, {node(1, 4, 2), node(2, 2, 1)}, {led(0, {2})}, ""},
      {"weights", false, {node(1, 3, 1), node(2, 3, 3)}, {led(0, {2})}, "0>2 "},
      {"without weight", false, {node(1, 3), node(2, 0, 0)}, {led(0, {2})}, ""},
      {"nobody else", true, {node(1, 2)}, {led(0, {}), led(1, {})}, ""},
      {"all, evenly",
       true,
       {node(1, 4), node(2, 1), node(3, 0)},
       {led(0, {2, 3}), led(1, {2, 3}), led(2, {2, 3}), led(3, {2})},
       "0>3 1>2 2>3 3>2 "},
      {"all, to one without weight too", true, {node(1, 1), node(2, 5, 0)}, {led(7, {2})}, "7>2 "},
  };
  for (const Row& row : rows) {
    LeadershipView view{.gives_all = row.gives_all, .self = row.nodes[0], .led = row.led};
    view.others.assign(row.nodes.begin() + 1, row.nodes.end());
    std::string handovers;
    for (const Handover& each : next_handovers(view)) {
      handovers += std::to_string(each.shard) + ">" + std::to_string(each.to.value) + " ";
    }
    EXPECT_EQ(handovers, row.handovers) << row.what;
  }
}

}  // namespace
}  // namespace shoal
