#include "node/runtime/worker_loads.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

void show(WorkerLoads& loads, WorkerIndex worker, uint32_t per_mille) {
  for (int i = 0; i < 40; ++i) {
    loads.show(worker, Duration{int64_t{per_mille} * 1000}, Duration::millis(1));
  }
}

TEST(WorkerLoads, AreAMeanOfWhatWasShown) {
  WorkerLoads loads(2);
  EXPECT_EQ(loads.per_mille(1), 0u);
  loads.show(1, Duration::millis(100), Duration::millis(100));
  EXPECT_EQ(loads.per_mille(1), 250u);
  show(loads, 1, 1000);
  EXPECT_GT(loads.per_mille(1), 990u);
  loads.show(1, Duration::millis(100), Duration{});  // no time at all
  EXPECT_GT(loads.per_mille(1), 990u);
  show(loads, 1, 0);
  EXPECT_EQ(loads.per_mille(1), 0u);
}

TEST(WorkerLoads, ConnectionsGatherWhereThereIsRoomAndSpreadWhereThereIsNone) {
  struct Row {
    uint32_t from, to;
    bool may_gather, is_relieved;
  };
  for (const Row& row : {
           Row{0, 0, true, false}, Row{0, 400, true, false},  // the other has room for all
           Row{300, 600, false, false},                       // it has not
           Row{600, 650, true, false},                        // as many come as go
           Row{1000, 1000, true, false},
           Row{700, 100, true, false},  // not so much that it would have to give
           Row{900, 800, true, false},  // nobody has room
           Row{900, 400, true, true}, Row{400, 900, false, false},  // and they do not go back
       }) {
    WorkerLoads loads(2);
    show(loads, 0, row.from);
    show(loads, 1, row.to);
    EXPECT_EQ(loads.may_gather(0, 1), row.may_gather) << row.from << " " << row.to;
    EXPECT_EQ(loads.relief_of(0).has_value(), row.is_relieved) << row.from << " " << row.to;
  }
}

TEST(WorkerLoads, TheOneWithTheLeastToDoRelieves) {
  WorkerLoads loads(4);
  show(loads, 0, 1000);
  show(loads, 1, 300);
  show(loads, 2, 200);
  show(loads, 3, 900);
  EXPECT_EQ(loads.relief_of(0), std::optional<WorkerIndex>(2));
  EXPECT_EQ(loads.relief_of(2), std::nullopt);
}

}  // namespace
}  // namespace shoal
