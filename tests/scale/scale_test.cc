// A large cluster in its smallest form. The hubs' work takes no virtual time here, so that two runs are
// alike.
#include "tests/scale/scenarios.h"

#include <gtest/gtest.h>

#include "cluster/core/frame.h"

namespace shoal::scale {
namespace {

constexpr uint64_t kClients = 300;
constexpr uint64_t kShared = 20;

ScaleOptions options_of(int nodes) {
  return {.nodes = nodes,
          .shards = 4,
          .clients = kClients,
          .shared_filters = kShared,
          .rate = 1000,
          .slowness = 0};
}

uint64_t bytes(const Usage& used, Purpose purpose) { return used.total().sent.of(purpose).bytes; }
uint64_t frames(const Usage& used, Purpose purpose) { return used.total().sent.of(purpose).frames; }

class Scale : public testing::TestWithParam<int> {
 protected:
  Scale() : cluster(options_of(GetParam())) {}
  uint64_t others() const { return static_cast<uint64_t>(cluster.size() - 1); }
  ScaleCluster cluster;
};

TEST_P(Scale, AnnouncesEachRouteOnceToEachPeer) {
  ASSERT_TRUE(found(cluster).is_done);
  Coming coming = come(cluster);
  ASSERT_TRUE(coming.is_done);
  EXPECT_EQ(coming.routes, kClients + kShared * 2 * static_cast<uint64_t>(cluster.size()));
  EXPECT_EQ(frames(coming.used, Purpose::kRoutes), coming.batches * others());
  // The filter has 30 bytes. A frame, of one route at the least, has a header and a version.
  const uint64_t most = kClients * others() * (30 + 8) + coming.batches * others() * (44 + 8);
  EXPECT_LE(bytes(coming.used, Purpose::kRoutes), most);
  EXPECT_LE(coming.waits.quantile(1), Duration::millis(10));
  EXPECT_EQ(coming.lapses, Duration{});
  EXPECT_TRUE(cluster.warnings().empty());
  // Those of its own places are in each worker's Router once, and all of the others'.
  const auto filters = kClients + kShared - kClients / static_cast<uint64_t>(cluster.size()) / 2;
  EXPECT_NEAR(static_cast<double>(cluster.node(0).worker(0).router()->counts().filters),
              static_cast<double>(filters), 2);
}

TEST_P(Scale, IdleTrafficOfANodeGrowsWithItsPeersAlone) {
  ASSERT_TRUE(found(cluster).is_done);
  const Idle quiet = idle(cluster, Duration::seconds(10));
  EXPECT_EQ(quiet.lapses, Duration{});
  // A State each 150 ms (ticks are 50), an answer to each of the peer's.
  const double a_link = static_cast<double>(frames(quiet.used, Purpose::kHeartbeats)) / 10 /
                        static_cast<double>(others()) / cluster.size();
  EXPECT_NEAR(a_link, 2 / 0.15, 2);
  EXPECT_EQ(frames(quiet.used, Purpose::kRoutes), 0U);
  EXPECT_EQ(frames(quiet.used, Purpose::kClaims), 0U);
}

TEST_P(Scale, AMoveIsToldToEachPeerTwiceAndClaimedOnce) {
  ASSERT_TRUE(found(cluster).is_done);
  ASSERT_TRUE(come(cluster).is_done);
  Churn moved = churn(cluster, Duration::seconds(60));
  ASSERT_TRUE(moved.is_done);
  EXPECT_EQ(moved.moves, kClients / 100);
  EXPECT_EQ(frames(moved.used, Purpose::kRoutes), 2 * moved.moves * others());
  EXPECT_EQ(frames(moved.used, Purpose::kClaims), 2 * moved.moves * others());
  EXPECT_EQ(moved.connack.all.size(), moved.moves);
  EXPECT_TRUE(cluster.do_digests_agree());
}

TEST_P(Scale, APublishIsOneFrameANode) {
  ASSERT_TRUE(found(cluster).is_done);
  const Fan single = fan_out(cluster, 10, 1, 100);
  ASSERT_TRUE(single.is_done);
  EXPECT_EQ(frames(single.used, Purpose::kForward), 10 * others());
  const Fan batched = fan_out(cluster, 100, 10, 100);
  ASSERT_TRUE(batched.is_done);
  EXPECT_EQ(frames(batched.used, Purpose::kForward), 10 * others());
  for (int n = 1; n < cluster.size(); ++n) EXPECT_EQ(cluster.node(n).worker(0).received(), 110U);
}

TEST_P(Scale, ANodeThatComesBackGetsAllRoutes) {
  ASSERT_TRUE(found(cluster).is_done);
  ASSERT_TRUE(come(cluster).is_done);
  const Return back = come_back(cluster);
  ASSERT_TRUE(back.is_done);
  EXPECT_LE(back.outage, Duration::seconds(3));
  EXPECT_LE(back.ready, Duration::seconds(3));
  const auto nodes = static_cast<uint64_t>(cluster.size());
  EXPECT_EQ(back.routes, kClients - kClients / nodes + kShared * 2 * (nodes - 1));
  const Traffic& got = back.used.nodes[0].received;
  EXPECT_LE(got.of(Purpose::kRoutes).bytes, back.routes * (30 + 8) + others() * 200);
}

TEST_P(Scale, TwoRunsAreAlike) {
  ScaleCluster again(options_of(GetParam()));
  for (ScaleCluster* const each : {&cluster, &again}) {
    ASSERT_TRUE(found(*each).is_done);
    ASSERT_TRUE(come(*each).is_done);
  }
  EXPECT_EQ(cluster.usage().total().sent.total().bytes, again.usage().total().sent.total().bytes);
  EXPECT_EQ(cluster.world().events(), again.world().events());
}

INSTANTIATE_TEST_SUITE_P(Nodes, Scale, testing::Values(3, 5),
                         [](const auto& info) { return std::to_string(info.param) + "Nodes"; });

TEST(ScaleWires, TakeTheirTime) {
  struct End final : NetworkEnd {
    explicit End(World& world) : world(world) {}
    void link_up(LinkId link, bool, const std::string&) override { up = link; }
    void link_down(LinkId, const std::string&) override { ++downs; }
    void frame(LinkId, Lane, FrameRef) override { arrivals.push_back(world.now()); }
    World& world;
    LinkId up = 0;
    int downs = 0;
    std::vector<Instant> arrivals;
  };
  World world(1);
  Wires wires(world, 2, 8, Duration::millis(1));  // 1 byte a microsecond
  End a(world), b(world);
  wires.attach(0, "a", a);
  wires.attach(1, "b", b);
  wires.dial(0, 7, "b");
  world.run_until(Instant{} + Duration::millis(10));
  ASSERT_EQ(a.up, 7U);
  FrameHeader header{.kind = FrameKind::kBatch, .sender = NodeId{1}, .incarnation = 1};
  const FrameRef frame = make_frame(header, std::vector<uint8_t>(1000 - kFrameHeaderBytes));
  for (int i = 0; i < 3; ++i) wires.send(0, 7, Lane::kForward, frame);
  world.run_until(Instant{} + Duration::millis(100));
  ASSERT_EQ(b.arrivals.size(), 3U);
  EXPECT_EQ(b.arrivals[0] - Instant{}, Duration::millis(12));
  EXPECT_EQ(b.arrivals[2] - b.arrivals[0], Duration::millis(2));
  EXPECT_EQ(wires.sent(0).of(Purpose::kForward).bytes, 3012U);
  EXPECT_EQ(wires.received(1).total().frames, 3U);
  wires.detach(1);
  world.run_until(Instant{} + Duration::millis(200));
  EXPECT_EQ(a.downs, 1);
}

}  // namespace
}  // namespace shoal::scale
