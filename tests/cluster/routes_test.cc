// What an answer to announced routes costs: a hub of a large cluster gets one for each batch of each node.
#include "cluster/core/routes.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

StoredState of_node_1() {
  StoredState stored;
  stored.id = NodeId{1};
  stored.incarnation = 1;
  return stored;
}

HubConfig of_two_workers() {
  HubConfig config;
  config.workers = 2;
  return config;
}

class RoutesTest : public testing::Test {
 protected:
  RoutesTest() : context_(of_two_workers(), of_node_1(), 1) {}

  int synced() const {
    int count = 0;
    for (const HubEffects::Mail& mail : context_.effects.mails) {
      if (std::holds_alternative<RoutesSynced>(mail.mail)) ++count;
    }
    return count;
  }

  Context context_;
  int walks_ = 0;  // over all pairs
  int asks_ = 0;   // who is waited for
  Routes routes_{context_,
                 [this] {
                   ++walks_;
                   return std::vector<Pair*>();
                 },
                 [this] {
                   ++asks_;
                   return std::vector<NodeId>();
                 }};
};

TEST_F(RoutesTest, PeersAreToldWhenTheLastWorkerHasApplied) {
  const uint64_t update = routes_.tell_all({});
  routes_.on_applied(0, update);
  EXPECT_EQ(walks_, 0);
  routes_.on_applied(1, update);
  EXPECT_EQ(walks_, 1);
  routes_.on_applied(1, update);
  EXPECT_EQ(walks_, 1);
}

TEST_F(RoutesTest, NobodyAsksWhoIsWaitedForWhileNobodyWaits) {
  const uint64_t update = routes_.tell_all({});
  routes_.on_applied(0, update);
  routes_.on_applied(1, update);
  EXPECT_EQ(asks_, 0);
  routes_.on_batch(0, {1, {{"a", {1, 0}}}});
  EXPECT_GT(asks_, 0);
  EXPECT_EQ(synced(), 0);
  routes_.on_applied(1, update + 1);
  EXPECT_EQ(synced(), 1);
  const int asks = asks_;
  routes_.on_applied(0, update);
  EXPECT_EQ(asks_, asks);
}

}  // namespace
}  // namespace shoal
