// Retained messages, their replays, and the copying of a state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/shard/shard_disk.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

PublishOp retained(std::string_view topic, std::string_view payload, Qos qos = Qos::k1) {
  MessageSpec spec = message(topic, payload, qos);
  spec.retain = true;
  return {spec, true};
}

std::vector<std::string> topics(const TestShard& shard, std::string_view filter) {
  std::vector<std::string> out;
  for (const Body& body : shard.state->retained(filter, "", {}).messages) out.push_back(body.topic);
  return out;
}

TEST(Retained, TheNewestStaysAndAnEmptyOneRemoves) {  // [MQTT5-3.3.1-6] [MQTT311-3.3.1-10]
  TestShard shard;
  shard.apply(retained("a", "1"));
  shard.apply(retained("a", "2", Qos::k0));
  EXPECT_EQ(shard.state->meta().bodies, 1u);
  EXPECT_EQ(shard.state->retained("a", "", {}).messages.at(0).payload, "2");
  shard.apply(retained("a", ""));
  EXPECT_THAT(topics(shard, "#"), IsEmpty());
  EXPECT_EQ(shard.values.size(), 1u);
}

TEST(Retained, IsStoredOnlyByTheShardOfItsTopic) {
  TestShard shard;
  PublishOp op = retained("a", "1");
  op.store_retained = false;
  shard.apply(op);
  EXPECT_THAT(topics(shard, "a"), IsEmpty());
}

TEST(Retained, ExpiresByStamp) {
  TestShard shard;
  PublishOp op = retained("a", "1");
  op.message.expiry_s = 10;
  shard.apply(op);
  shard.stamp += 5'000;
  shard.apply(op);  // its date is a later one
  shard.stamp += 5'000;
  shard.apply(TickOp{});
  EXPECT_THAT(topics(shard, "a"), ElementsAre("a"));
  shard.stamp += 5'000;
  shard.restart();
  EXPECT_EQ(shard.state->next_due(), shard.stamp);
  shard.apply(TickOp{});
  EXPECT_EQ(shard.values.size(), 1u);
}

TEST(Retained, WildcardsAreAnsweredInPortionsInLevelOrder) {
  TestShard shard;
  for (const char* topic : {"b/x", "a/2", "a/1/z", "$SYS/a", "a"})
    shard.apply(retained(topic, "x"));
  shard.restart();
  EXPECT_THAT(topics(shard, "#"), ElementsAre("a", "a/1/z", "a/2", "b/x"));
  EXPECT_THAT(topics(shard, "a/#"), ElementsAre("a", "a/1/z", "a/2"));
  EXPECT_THAT(topics(shard, "+/+"), ElementsAre("a/2", "b/x"));
  for (const ShardState::PortionLimits& limits :
       {ShardState::PortionLimits{.items = 1}, {.bytes = 1}, {.steps = 1}}) {
    std::vector<std::string> all;
    RetainedPortion portion;
    int portions = 0;
    do {
      portion = shard.state->retained("+/+", portion.after, limits);
      for (const Body& body : portion.messages) all.push_back(body.topic);
      ASSERT_LT(++portions, 10);
    } while (!portion.done);
    EXPECT_THAT(all, ElementsAre("a/2", "b/x"));
    EXPECT_GT(portions, 1);
  }
}

// ---- replays

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
  PublishOp live = retained("a", "new");
  live.store_retained = false;
  shard.apply(live);
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
    shard.apply(retained("t/" + id, "x"));
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
