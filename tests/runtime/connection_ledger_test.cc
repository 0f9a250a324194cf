#include "node/runtime/connection_ledger.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(ConnectionLedger, LimitsHoldByListenerAndInAll) {
  ConnectionLedger ledger(2, {2, 0}, 4);
  EXPECT_TRUE(ledger.admit(0, 0));
  EXPECT_TRUE(ledger.admit(0, 1));
  EXPECT_FALSE(ledger.admit(0, 0)) << "the listener is full";
  EXPECT_TRUE(ledger.admit(1, 0));
  EXPECT_TRUE(ledger.admit(1, 0));
  EXPECT_FALSE(ledger.admit(1, 0)) << "the node is full";
  EXPECT_EQ(ledger.total(), 4u);
  EXPECT_EQ(ledger.on_listener(0), 2u);
  ledger.release(0, 1);
  EXPECT_TRUE(ledger.admit(1, 1));
  EXPECT_EQ(ledger.total(), 4u);
}

// However the kernel hands out connections, the workers end up with as many each, give or take one.
TEST(ConnectionLedger, FewConnectionsSpreadEvenly) {
  for (const int workers : {1, 2, 3, 8}) {
    ConnectionLedger ledger(workers, {0}, 0);
    std::vector<int> counts(static_cast<size_t>(workers));
    for (int i = 0; i < 100; ++i) {
      const auto acceptor = static_cast<WorkerIndex>(i * 7 / 5 % workers == 0 ? 0 : workers - 1);
      const WorkerIndex worker = ledger.worker_for_next(acceptor);
      ASSERT_TRUE(ledger.admit(0, worker));
      ++counts[worker];
    }
    for (const int count : counts) EXPECT_NEAR(count, 100.0 / workers, 2) << workers;
  }
}

TEST(ConnectionLedger, WhoAcceptsKeepsTheConnectionUnlessAnotherHasClearlyFewer) {
  ConnectionLedger ledger(2, {0}, 0);
  EXPECT_EQ(ledger.worker_for_next(1), 1);
  ASSERT_TRUE(ledger.admit(0, 1));
  EXPECT_EQ(ledger.worker_for_next(1), 1);
  ASSERT_TRUE(ledger.admit(0, 1));
  EXPECT_EQ(ledger.worker_for_next(1), 0);
  ledger.release(0, 1);
  EXPECT_EQ(ledger.worker_for_next(1), 1);
}

}  // namespace
}  // namespace shoal
