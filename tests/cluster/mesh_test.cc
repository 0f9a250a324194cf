// Nodes that find each other, come into sync, and carry routes, messages and acceptances.
#include <gtest/gtest.h>

#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

TEST(Mesh, ThreeNodesFoundAClusterAndAreReady) {
  HubCluster cluster({.nodes = 3});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000))
      << cluster.status(0).reason << "; " << cluster.status(1).reason;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.status(i).cluster, cluster.status(0).cluster);
    EXPECT_EQ(cluster.node(i).disk.cluster, cluster.status(0).cluster);
    EXPECT_EQ(cluster.status(i).members.size(), 3u);
    EXPECT_EQ(cluster.status(i).majority, 2);
    EXPECT_TRUE(cluster.run_until([&] { return cluster.may_acknowledge(i); }, 1));
  }
}

TEST(Mesh, OneNodeAloneAnswersWithoutATick) {
  HubCluster cluster({.nodes = 1, .workers = 1});
  cluster.run(3);  // the cluster id is stored
  EXPECT_TRUE(cluster.status(0).ready) << cluster.status(0).reason;
  EXPECT_EQ(cluster.node(0).ack_until, Instant::never());
  const uint64_t number = cluster.subscribe(0, 0, "a/b");
  cluster.run(1);
  EXPECT_TRUE(cluster.is_synced(0, 0, number));
}

TEST(Mesh, ASubscriptionIsSyncedWhenAllPlacesHaveIt) {
  HubCluster cluster({.nodes = 3, .workers = 2});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  cluster.node(2).applies_routes = false;
  const uint64_t number = cluster.subscribe(0, 1, "a/+");
  cluster.run(1000);
  EXPECT_FALSE(cluster.is_synced(0, 1, number));

  cluster.node(2).applies_routes = true;
  cluster.subscribe(0, 1, "b");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.is_synced(0, 1, number); }, 1000));
  for (int i = 0; i < 3; ++i) {
    int places = 0;
    for (const RouteUpdate& update : cluster.mails<RouteUpdate>(i)) {
      for (const PlacedRoute& route : update.routes) {
        EXPECT_EQ(route.place.worker, 1);
        places += route.change.filter == "a/+" ? 1 : 0;
      }
    }
    EXPECT_EQ(places, i == 0 ? 1 : 2) << "worker 0 of the own node, all workers of the others";
  }
}

TEST(Mesh, MessagesArriveInOrderAndAreAccepted) {
  HubCluster cluster({.nodes = 3, .workers = 2});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  for (int i = 0; i < 100; ++i) cluster.forward(0, 1, 2, 0b10, std::to_string(i));
  cluster.run(200);
  ASSERT_EQ(cluster.node(2).got.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(cluster.node(2).got[i], "1:" + std::to_string(i));
  const auto accepted = cluster.mails<AcceptIn>(0);
  ASSERT_EQ(accepted.size(), 100u);
  EXPECT_EQ(accepted[99].from, (Place{cluster.member(0, 2).slot, 1}));
  EXPECT_EQ(accepted[99].ranges, (std::vector<AcceptedRange>{{100, 100, Acceptance::kAccepted}}));
  EXPECT_EQ(cluster.member(0, 2).forwarded, 100u);
  EXPECT_EQ(cluster.member(2, 0).received, 100u);
}

// The receiver's word opens the window long before the next heartbeat.
TEST(Mesh, AWindowsWorthOfMessagesTakesNoHeartbeat) {
  Limits limits;
  limits.forward_window_bytes = 256 * 1024;
  limits.heartbeat_interval = Duration::millis(500);
  HubCluster cluster({.nodes = 2, .limits = limits});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 5000));
  constexpr size_t kMessages = 100;
  const std::string payload(20'000, 'x');  // eight windows in all
  for (size_t i = 0; i < kMessages; ++i) cluster.forward(0, 0, 1, 1, payload);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.node(1).got.size() == kMessages; }, 300));
}

TEST(Mesh, ALargePayloadCrossesInPieces) {
  HubCluster cluster({.nodes = 2, .workers = 1});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  std::string payload(9 * 1024 * 1024 + 7, 'x');
  for (size_t i = 0; i < payload.size(); i += 1000) payload[i] = static_cast<char>(i / 1000);
  cluster.forward(0, 0, 1, 1, payload);
  cluster.forward(0, 0, 1, 1, "small");
  cluster.run(2000);
  ASSERT_EQ(cluster.node(1).got.size(), 2u);
  EXPECT_EQ(cluster.node(1).got[0], "0:small");
  EXPECT_TRUE(cluster.node(1).got[1] == "0:" + payload);
}

// The lanes have no order between them: what is sent last often comes first.
TEST(Mesh, ALargePayloadDoesNotOvertakeWhatWasSentBefore) {
  Limits limits;
  limits.large_payload = 4 * 1024;
  limits.bulk_piece_bytes = 1024;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    HubCluster cluster({.nodes = 2, .workers = 1, .seed = seed, .limits = limits});
    ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
    std::vector<std::string> sent;
    for (int i = 0; i < 40; ++i) {
      std::string payload = std::to_string(i);
      if (i % 4 == 3) payload.resize(4 * 1024 + 7, 'x');
      cluster.forward(0, 0, 1, 1, payload);
      sent.push_back("0:" + payload);
      if (i % 4 != 3) continue;
      if (i == 19) cluster.reset_links(0, 1);  // and not after a broken connection either
      // Its publisher is not read before the large one has arrived.
      ASSERT_TRUE(
          cluster.run_until([&] { return cluster.node(1).got.size() == sent.size(); }, 3000));
    }
    EXPECT_EQ(cluster.node(1).got, sent) << "seed " << seed;
    EXPECT_EQ(cluster.mails<PeerDown>(0).size(), 0u);
  }
}

// What waits for the forward lane is not worked off, and comes when that moves again.
TEST(Mesh, ALargePayloadWaitsForAForwardLaneThatStandsStill) {
  Limits limits;
  limits.large_payload = 4 * 1024;
  limits.forward_window_bytes = 16 * 1024;
  HubCluster cluster({.nodes = 2, .workers = 1, .limits = limits});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  cluster.node(1).consumes = false;
  for (int i = 0; i < 40; ++i) cluster.forward(0, 0, 1, 1, std::string(1000, 's'));
  const std::string large(4 * 1024, 'l');
  for (int i = 0; i < 8; ++i) cluster.forward(0, 0, 1, 1, large);
  cluster.run(1000);
  const size_t came = cluster.node(1).got.size();
  EXPECT_LT(came, 40u) << "a window of the forward lane";
  for (const std::string& one : cluster.node(1).got) EXPECT_EQ(one.size(), 1002u);

  cluster.node(1).consumes = true;
  size_t bytes = 0;
  for (const ForwardIn& in : cluster.mails<ForwardIn>(1)) bytes += in.batch->bytes();
  cluster.send(1, 0, ForwardConsumed{cluster.member(1, 0).slot, bytes});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(1).got.size() == 48; }, 3000));
  for (size_t i = 40; i < 48; ++i) EXPECT_EQ(cluster.node(1).got[i], "0:" + large);
}

TEST(Mesh, LargePayloadsThatWaitForEachOtherAreNoCongestion) {
  Limits limits;
  limits.forward_queue_bytes = 1024 * 1024;
  HubCluster cluster({.nodes = 2, .workers = 1, .limits = limits});
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_ready(); }, 3000));
  const std::string payload(9 * 1024 * 1024, 'x');  // a window each
  for (int i = 0; i < 3; ++i) cluster.forward(0, 0, 1, 1, payload);
  cluster.forward(0, 0, 1, 1, "small");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.node(1).got.size() == 4; }, 10'000));
  EXPECT_EQ(cluster.node(1).got[0], "0:small");
  EXPECT_TRUE(cluster.mails<PeerCongested>(0).empty());
}

}  // namespace
}  // namespace shoal
