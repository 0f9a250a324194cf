// Replays of retained messages, and the copying of a state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/shard/shard_disk.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    shard.connect("c");
    const Effects effects =
        shard.subscribe("c", {.filter = "#", .qos = Qos::k1, .identifier = 3, .replay = true});
    ASSERT_THAT(effects.replays, SizeIs(1));
    id = effects.replays[0].replay;
  }
  Effects portion(std::string_view from, std::string_view next, std::vector<MessageSpec> messages,
                  bool done = false) {
    return shard.apply(ReplayPortionOp{"c", "#", id, from, next, done, std::move(messages)});
  }
  TestShard shard;
  OpPlace id = 0;
};

TEST_F(ReplayTest, QueuesEachPortionOnceWhoeverAsks) {
  EXPECT_THAT(shard.state->replays(), ElementsAre(OpenReplay{"c", "#"}));
  portion("", "b", {message("a", "1", Qos::k2), message("b", "2")});
  portion("", "b", {message("a", "1", Qos::k2), message("b", "2")});  // of another leader
  shard.restart();
  EXPECT_EQ(shard.state->replay("c", "#")->cursor, "b");
  portion("b", "", {message("c", "3")}, true);
  portion("b", "", {message("c", "3")}, true);
  EXPECT_THAT(shard.payloads("c"), ElementsAre("1", "2", "3"));
  const Delivery first = shard.deliveries("c")[0];
  EXPECT_TRUE(first.retain);
  EXPECT_EQ(first.qos, Qos::k1);
  EXPECT_THAT(first.identifiers, ElementsAre(3));
  EXPECT_THAT(shard.state->replays(), IsEmpty());
  EXPECT_EQ(shard.state->session("c")->replays, 0u);
}

TEST_F(ReplayTest, AnOlderAnswerThanWhatCameLiveIsDropped) {
  MessageSpec live = message("a", "new");
  live.retain = true;
  shard.apply(PublishOp{live});
  portion("", "x", {message("a", "old"), message("b", "1")});
  EXPECT_THAT(shard.payloads("c"), ElementsAre("new", "1"));
  portion("x", "", {}, true);
  shard.subscribe("c", {.filter = "#", .qos = Qos::k1, .replay = true});
  id = shard.state->replay("c", "#")->id;
  portion("", "", {message("a", "new")}, true);
  EXPECT_THAT(shard.payloads("c"), ElementsAre("new", "1", "new"));
}

TEST_F(ReplayTest, EndsWithItsSubscription) {
  shard.apply(UnsubscribeOp{"c", shard.epoch("c"), {"#"}});
  portion("", "b", {message("a", "1")});
  EXPECT_THAT(shard.payloads("c"), IsEmpty());
  EXPECT_THAT(shard.state->replays(), IsEmpty());
  EXPECT_EQ(shard.skips(SkipReason::kNoSession), 1u);
}

TEST_F(ReplayTest, AnotherSubscriptionOfTheFilterBeginsAnew) {
  portion("", "b", {message("a", "1")});
  shard.subscribe("c", {.filter = "#", .qos = Qos::k2, .replay = true});
  portion("b", "c", {message("c", "late")});
  EXPECT_EQ(shard.skips(SkipReason::kNotWaited), 1u);
  EXPECT_EQ(shard.state->replay("c", "#")->cursor, "");
}

TEST_F(ReplayTest, GoesOnWhileTheClientIsAwayAndPastTheLimits) {
  shard.apply(LimitsOp{{.queued_max = 1}});
  shard.detach("c");
  portion("", "", {message("a", "1"), message("b", "2"), message("c", "3")}, true);
  shard.connect("c");
  EXPECT_THAT(shard.payloads("c"), ElementsAre("1", "2", "3"));
}

TEST_F(ReplayTest, Qos0AndExpiredOnesAreNotQueued) {
  MessageSpec expired = message("b", "2");
  expired.expires_at = shard.stamp;
  portion("", "", {message("a", "1", Qos::k0), expired}, true);
  EXPECT_THAT(shard.payloads("c"), IsEmpty());
  EXPECT_EQ(shard.state->meta().bodies, 0u);
}

// ---- copies

TEST(Copy, InPortionsIsTheSameState) {
  TestShard shard;
  for (int i = 0; i < 20; ++i) {
    const std::string id = "c" + std::to_string(i);
    shard.connect(id);
    shard.subscribe(id, {.filter = "#", .qos = Qos::k1, .replay = true});
    shard.subscribe(id, "$share/g/x");
    shard.publish("t/" + id, "x");
  }
  for (const size_t bytes : {size_t{1}, size_t{500}, size_t{1} << 20}) {
    TestShard copy(99);
    StatePortion portion;
    std::string after;
    do {
      portion = read_portion(shard.values, after, bytes);
      for (const auto& [key, value] : portion.items) copy.values.put(key, value);
      if (!portion.items.empty()) after = portion.items.back().first;
    } while (!portion.done);
    copy.restart();
    EXPECT_EQ(copy.state->hash_anew(), shard.state->hash());
    EXPECT_EQ(copy.state->applied(), shard.state->applied());
    EXPECT_EQ(copy.state->routes(), shard.state->routes());
    EXPECT_EQ(copy.state->replays(), shard.state->replays());
    copy.state->check_invariants();
    copy.index = shard.index;
    TestShard& original = shard;
    const Effects there = original.publish("t/c1", "again");
    EXPECT_EQ(copy.publish("t/c1", "again").drops, there.drops);
    EXPECT_EQ(copy.state->hash(), original.state->hash());
    EXPECT_TRUE(copy.values == original.values);
  }
}

}  // namespace
}  // namespace shoal::shard
