// What a queue loses, and what never: limits and expiry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Limits, TheOldestThatWasNotSentGoes) {
  TestShard shard;
  shard.apply(LimitsOp{{.queued_max = 10}});
  shard.connect("c");
  shard.subscribe("c", "a");
  for (int i = 0; i < 10; ++i) shard.publish("a", std::to_string(i));  // 0..7 possibly sent
  const Effects effects = shard.publish("a", "10");
  EXPECT_THAT(effects.drops, ElementsAre(Effects::Drop{"c", DropReason::kOldest}));
  shard.publish("a", "11");
  shard.publish("a", "12");
  EXPECT_EQ(shard.drops("c", DropReason::kOldest), 3u);
  EXPECT_EQ(shard.drops(DropReason::kOldest), 3u);
  std::vector<std::string> got;
  while (!shard.deliveries("c").empty()) {
    const Delivery next = shard.deliveries("c")[0];
    got.push_back(next.message.payload);
    shard.ack("c", next.number);
  }
  EXPECT_THAT(got, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "11", "12"));
  EXPECT_EQ(shard.state->meta().bodies, 0u);
}

TEST(Limits, OrTheNewOneIsRejected) {
  TestShard shard;
  shard.apply(LimitsOp{{.queued_max = 3, .rejects_new = true}});
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.detach("c");
  for (int i = 0; i < 5; ++i) shard.publish("a", std::to_string(i));
  EXPECT_EQ(shard.drops("c", DropReason::kNew), 2u);
  shard.connect("c");
  EXPECT_THAT(shard.payloads("c"), ElementsAre("0", "1", "2"));
}

TEST(Limits, WhatMayHaveBeenSentIsNeverDropped) {
  TestShard shard;
  shard.apply(LimitsOp{{.queued_max = 3}});
  shard.connect("c");
  shard.subscribe("c", "a");
  for (int i = 0; i < 5; ++i) shard.publish("a", std::to_string(i));
  EXPECT_THAT(shard.payloads("c"), ElementsAre("0", "1", "2"));
  EXPECT_EQ(shard.drops("c", DropReason::kNew), 2u);
}

TEST(Limits, BytesCount) {
  TestShard shard;
  shard.apply(LimitsOp{{.queued_bytes_max = 100}});
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.detach("c");
  shard.publish("a", std::string(59, 'x'));
  shard.publish("a", std::string(50, 'y'));
  EXPECT_EQ(shard.drops("c", DropReason::kOldest), 1u);
  // One that fits into no queue costs none of the others.
  shard.publish("a", std::string(100, 'z'));
  EXPECT_EQ(shard.drops("c", DropReason::kNew), 1u);
  shard.connect("c");
  EXPECT_THAT(shard.payloads("c"), ElementsAre(std::string(50, 'y')));
}

TEST(Limits, OfTheShardsBodies) {
  TestShard shard;
  shard.apply(LimitsOp{{.bodies_bytes_max = 100}});
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.publish("a", std::string(80, 'x'));
  shard.publish("a", std::string(80, 'x'));
  EXPECT_EQ(shard.drops("c", DropReason::kShardFull), 1u);
  EXPECT_EQ(shard.state->meta().bodies, 1u);
}

// A client that is away and has one message open: what is dropped behind it leaves no trace that has
// to be walked later.
TEST(Limits, AnyNumberOfDropsLeavesNothingToWalk) {
  TestShard shard;
  shard.apply(LimitsOp{{.queued_max = 3}});
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.publish("a", "first");
  const uint64_t first = shard.deliveries("c").at(0).number;
  shard.detach("c");
  for (int round = 0; round < 20; ++round) {
    EntryBuilder entry(shard.stamp);
    for (int i = 0; i < 5'000; ++i) entry.add(PublishOp{message("a", "x")});
    Effects effects;
    shard.state->apply(++shard.index, entry.finish(), effects);
  }
  shard.connect("c");
  // Its packet identifiers are used up by the one that stays.
  EXPECT_THAT(shard.payloads("c"), ElementsAre("first"));
  shard.ack("c", first);
  EXPECT_THAT(shard.payloads("c"), ElementsAre("x", "x"));
  EXPECT_EQ(shard.drops("c", DropReason::kOldest), 99'998u);
}

// ---- expiry

TEST(Expiry, DropsWhatWasNotSentAndKeepsWhatMayHaveBeen) {  // [MQTT5-4.3.3-13]
  TestShard shard;
  ConnectOp op = connect_op("c");
  op.receive_maximum = 1;
  shard.connect(op);
  shard.subscribe("c", "a");
  MessageSpec spec = message("a", "expires");
  spec.expiry_s = 10;
  for (int i = 0; i < 5; ++i) shard.apply(PublishOp{spec});
  shard.publish("a", "stays");
  shard.stamp += 10'000;
  EXPECT_THAT(shard.payloads("c"), SizeIs(4));
  shard.ack("c", shard.deliveries("c")[0].number);
  EXPECT_THAT(shard.payloads("c"), ElementsAre("expires", "expires", "expires", "stays"));
  EXPECT_EQ(shard.drops("c", DropReason::kExpired), 1u);
}

TEST(Expiry, OfAllThatWaitedLeavesNothing) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.detach("c");
  MessageSpec spec = message("a", "x");
  spec.expiry_s = 1;
  for (int i = 0; i < 5; ++i) shard.apply(PublishOp{spec});
  shard.stamp += 1'000;
  EXPECT_THAT(shard.apply(connect_op("c")).deliverable, IsEmpty());
  EXPECT_EQ(shard.drops("c", DropReason::kExpired), 5u);
  EXPECT_EQ(shard.state->meta().bodies, 0u);
  shard.publish("a", "y");
  EXPECT_THAT(shard.payloads("c"), ElementsAre("y"));
}

TEST(Expiry, MakesRoomBeforeTheLimitDoes) {
  TestShard shard;
  shard.apply(LimitsOp{{.queued_max = 2, .rejects_new = true}});
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.detach("c");
  MessageSpec spec = message("a", "x");
  spec.expiry_s = 1;
  shard.apply(PublishOp{spec}, PublishOp{spec});
  shard.stamp += 1'000;
  shard.publish("a", "y");
  EXPECT_EQ(shard.drops("c", DropReason::kNew), 0u);
  EXPECT_EQ(shard.drops("c", DropReason::kExpired), 1u);
}

}  // namespace
}  // namespace shoal::shard
