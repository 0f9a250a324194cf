// Connect, detach, take-over, expiry, wills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using Outcome = Effects::Outcome;
using testing::ElementsAre;
using testing::IsEmpty;

WillSpec will(uint32_t delay_s) { return {message("will/c", "gone"), delay_s}; }

ConnectOp connect_with_will(uint32_t delay_s, uint32_t expiry_s = 3600) {
  ConnectOp op = connect_op("c");
  op.will = will(delay_s);
  op.expiry_s = expiry_s;
  return op;
}

std::vector<std::string> in_outbox(TestShard& shard) {
  std::vector<std::string> out;
  for (const OutboxMessage& each : shard.state->outbox(0, {})) out.push_back(each.message->payload);
  return out;
}

TEST(Session, ConnectAttachesAndItsPlaceIsTheEpoch) {
  TestShard shard;
  const Effects effects = shard.apply(connect_op("c"));
  const OpPlace place = (uint64_t{1} << kPositionBits) + 1;
  EXPECT_THAT(effects.connected, ElementsAre(Effects::Connected{"c", place, false, kNodeA, 1, 0}));
  EXPECT_THAT(shard.state->attached(kNodeA, 2), testing::SizeIs(1));
  EXPECT_THAT(shard.state->attached(kNodeA, 1), IsEmpty());
  EXPECT_THAT(shard.state->attached(kNodeB, 2), IsEmpty());
}

TEST(Session, TwoConnectsOfOneEntryHaveTwoEpochs) {
  TestShard shard;
  const Effects effects = shard.apply(connect_op("c"), connect_op("c"));
  ASSERT_EQ(effects.connected.size(), 2u);
  EXPECT_LT(effects.connected[0].epoch, effects.connected[1].epoch);
  EXPECT_THAT(effects.evicted,
              ElementsAre(Effects::Evicted{"c", effects.connected[0].epoch, kNodeA, 1, 0}));
}

TEST(Session, AnotherUserIsRefused) {
  TestShard shard;
  shard.connect("c");
  ConnectOp other = connect_op("c");
  other.user = "v";
  other.clean_start = true;
  const Effects effects = shard.submit(other, {kNodeB, 1, 0, 1});
  EXPECT_THAT(effects.done, ElementsAre(Effects::Done{{kNodeB, 1, 0, 1}, Outcome::kRefusedUser}));
  EXPECT_THAT(effects.connected, IsEmpty());
  EXPECT_THAT(effects.evicted, IsEmpty());
  EXPECT_EQ(shard.state->session("c")->user, "u");
}

TEST(Session, OpsOfAnOlderEpochAreIgnored) {
  TestShard shard;
  const OpPlace old = shard.connect("c");
  shard.subscribe("c", "a");
  shard.publish("a", "1");
  const uint64_t number = shard.deliveries("c").at(0).number;
  shard.connect("c");
  shard.apply(AckOp{"c", old, {AckOp::ack(number, AckKind::kPuback)}},
              DetachOp{.client_id = "c", .epoch = old}, SubscribeOp{"c", old, {{.filter = "b"}}},
              UnsubscribeOp{"c", old, {"a"}}, ReceiveOp{"c", old, 1, message("x", "y", Qos::k2)},
              ReleaseOp{"c", old, 1});
  EXPECT_EQ(shard.skips(SkipReason::kStaleEpoch), 6u);
  EXPECT_THAT(shard.payloads("c"), ElementsAre("1"));
  EXPECT_TRUE(shard.state->session("c")->attached);
  EXPECT_THAT(shard.state->subscriptions("c"), ElementsAre("a"));
}

TEST(Session, ResumesWithAllItHas) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.detach("c");
  EXPECT_THAT(shard.state->attached(kNodeA, 2), IsEmpty());
  shard.publish("a", "while away");
  const Effects effects = shard.apply(connect_op("c"));
  EXPECT_TRUE(effects.connected.at(0).session_present);
  EXPECT_THAT(shard.payloads("c"), ElementsAre("while away"));
}

TEST(Session, CleanStartBeginsAnewAboveTheOldNumbers) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.publish("a", "1");
  const uint64_t tail = shard.state->session("c")->queue.tail;
  ConnectOp clean = connect_op("c");
  clean.clean_start = true;
  const Effects effects = shard.apply(clean);
  EXPECT_FALSE(effects.connected.at(0).session_present);
  EXPECT_THAT(effects.ended, ElementsAre(Effects::Ended{"c"}));
  EXPECT_THAT(effects.routes, ElementsAre(Effects::RouteChange{"a", 0}));
  EXPECT_THAT(shard.deliveries("c"), IsEmpty());
  EXPECT_THAT(shard.state->subscriptions("c"), IsEmpty());
  EXPECT_GE(shard.state->session("c")->queue.head, tail);
  EXPECT_EQ(shard.state->meta().bodies, 0u);
}

TEST(Session, OfExpiryZeroEndsWithItsConnectionHoweverThatEnds) {
  for (const bool taken_over : {false, true}) {
    TestShard shard;
    ConnectOp op = connect_op("c");
    op.expiry_s = 0;
    shard.connect(op);
    if (taken_over) {
      EXPECT_FALSE(shard.apply(op).connected.at(0).session_present);
    } else {
      EXPECT_THAT(shard.detach("c").ended, ElementsAre(Effects::Ended{"c"}));
      EXPECT_EQ(shard.values.size(), 1u) << "something is left of it";
    }
  }
}

TEST(Session, ExpiresByTheStampOfAnyLaterEntry) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.detach("c");
  EXPECT_EQ(shard.state->next_due(), shard.stamp + 3'600'000);
  shard.stamp += 3'599'999;
  EXPECT_THAT(shard.apply(TickOp{}).ended, IsEmpty());
  shard.stamp += 1;
  EXPECT_THAT(shard.publish("a", "late").ended, ElementsAre(Effects::Ended{"c"}));
  EXPECT_EQ(shard.state->next_due(), UINT64_MAX);
  EXPECT_EQ(shard.values.size(), 1u) << "something is left of it";
}

TEST(Session, TheStampNeverGoesBack) {
  TestShard shard;
  shard.connect("c");
  const uint64_t then = shard.stamp;
  shard.stamp = 5;
  shard.detach("c");
  EXPECT_EQ(shard.state->next_due(), then + 3'600'000);
}

TEST(Session, ThatNeverExpiresHasNoDate) {
  TestShard shard;
  ConnectOp op = connect_op("c");
  op.expiry_s = kNeverExpires;
  shard.connect(op);
  shard.detach("c");
  EXPECT_EQ(shard.state->next_due(), UINT64_MAX);
}

TEST(Session, DetachMayChangeTheExpiry) {
  TestShard shard;
  shard.connect("c");
  shard.apply(DetachOp{"c", shard.epoch("c"), true, 7});
  EXPECT_EQ(shard.state->next_due(), shard.stamp + 7'000);
}

// More timers than one entry fires: a Connect sees the date itself.
TEST(Session, ALateTimerIsNeverSeen) {
  TestShard shard;
  for (int i = 0; i < 100; ++i) {
    const std::string id = "c" + std::to_string(i);
    shard.connect(id);
    shard.detach(id);
  }
  shard.stamp += 3'600'000;
  const Effects effects = shard.apply(connect_op("c99"), connect_op("c0"));
  EXPECT_FALSE(effects.connected.at(0).session_present);
  EXPECT_FALSE(effects.connected.at(1).session_present);
  EXPECT_EQ(shard.state->next_due() <= shard.stamp, true);
  shard.apply(TickOp{});
  EXPECT_EQ(shard.state->meta().sessions, 2u);
}

// ---- wills

TEST(Will, WithoutDelayIsPublishedWithTheDetach) {  // [MQTT5-3.1.2-8]
  TestShard shard;
  shard.connect(connect_with_will(0));
  EXPECT_EQ(shard.detach("c").outbox_end, 1u);
  EXPECT_THAT(in_outbox(shard), ElementsAre("gone"));
}

TEST(Will, IsDiscardedByANormalDisconnect) {
  TestShard shard;
  shard.connect(connect_with_will(0));
  shard.apply(DetachOp{.client_id = "c", .epoch = shard.epoch("c"), .discards_will = true});
  EXPECT_THAT(in_outbox(shard), IsEmpty());
  EXPECT_EQ(shard.state->meta().bodies, 0u);
}

TEST(Will, WaitsForItsDelay) {
  TestShard shard;
  shard.connect(connect_with_will(10));
  shard.detach("c");
  EXPECT_THAT(in_outbox(shard), IsEmpty());
  shard.stamp += 10'000;
  shard.apply(TickOp{});
  EXPECT_THAT(in_outbox(shard), ElementsAre("gone"));
  EXPECT_EQ(shard.state->meta().sessions, 1u);
}

TEST(Will, IsNotPublishedWhenTheClientIsBackInTime) {  // [MQTT5-3.1.3-9]
  for (const bool detached : {false, true}) {
    TestShard shard;
    shard.connect(connect_with_will(10));
    if (detached) shard.detach("c");
    shard.connect("c");
    shard.stamp += 20'000;
    shard.apply(TickOp{});
    EXPECT_THAT(in_outbox(shard), IsEmpty());
    EXPECT_EQ(shard.state->meta().bodies, 0u);
  }
}

TEST(Will, IsPublishedAtATakeOverUnlessItWaitsForAResumedSession) {
  const struct {
    uint32_t delay_s;
    bool clean_start;
    bool published;
  } kRows[] = {{0, false, true}, {0, true, true}, {10, true, true}, {10, false, false}};
  for (const auto& row : kRows) {
    TestShard shard;
    shard.connect(connect_with_will(row.delay_s));
    ConnectOp op = connect_op("c");
    op.clean_start = row.clean_start;
    shard.connect(op);
    EXPECT_EQ(!in_outbox(shard).empty(), row.published) << row.delay_s << row.clean_start;
  }
}

TEST(Will, IsPublishedWhenTheSessionEndsBeforeItsDelay) {
  TestShard shard;
  shard.connect(connect_with_will(100, 5));
  shard.detach("c");
  shard.stamp += 5'000;
  shard.apply(TickOp{});
  EXPECT_THAT(in_outbox(shard), ElementsAre("gone"));
  EXPECT_EQ(shard.state->meta().sessions, 0u);
}

TEST(Will, OfAClientWithoutADurableSession) {
  TestShard shard;
  shard.connect(connect_with_will(30, 0));
  shard.detach("c");
  EXPECT_THAT(in_outbox(shard), ElementsAre("gone"));
  EXPECT_EQ(shard.state->meta().sessions, 0u);
}

TEST(Will, ItsMessageExpiryRunsFromItsPublication) {
  TestShard shard;
  ConnectOp op = connect_with_will(10);
  op.will->message.expiry_s = 60;
  shard.connect(op);
  shard.detach("c");
  shard.stamp += 10'000;
  shard.apply(TickOp{});
  EXPECT_EQ(shard.state->outbox(0, {}).at(0).message->expires_at, shard.stamp + 60'000);
}

TEST(Will, OfALostNodeIsFoundByItsAttachments) {
  TestShard shard;
  shard.connect(connect_with_will(0));
  for (const AttachedSession& each : shard.state->attached(kNodeA, 2)) {
    shard.apply(DetachOp{.client_id = each.client_id, .epoch = each.epoch});
  }
  EXPECT_THAT(in_outbox(shard), ElementsAre("gone"));
}

// ---- numbered submissions

TEST(Source, NumbersAreAppliedOnceAndInOrder) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  const struct {
    uint64_t incarnation;
    uint64_t number;
    Outcome outcome;
  } kRows[] = {
      {1, 1, Outcome::kApplied}, {1, 1, Outcome::kRepeat},  {1, 3, Outcome::kGap},
      {1, 2, Outcome::kApplied}, {1, 3, Outcome::kApplied}, {1, 2, Outcome::kRepeat},
      {2, 2, Outcome::kGap},     {1, 4, Outcome::kApplied}, {2, 1, Outcome::kApplied},
      {1, 5, Outcome::kOldLife}, {2, 2, Outcome::kApplied},
  };
  int n = 0;
  std::vector<std::string> expected;
  for (const auto& row : kRows) {
    const std::string payload = std::to_string(++n);
    const Source source{kNodeA, row.incarnation, 3, row.number};
    const Effects effects = shard.submit(PublishOp{message("a", payload)}, source);
    EXPECT_THAT(effects.done, ElementsAre(Effects::Done{source, row.outcome})) << n;
    if (row.outcome == Outcome::kApplied) expected.push_back(payload);
    shard.restart();
  }
  EXPECT_THAT(shard.payloads("c"), testing::ElementsAreArray(expected));
  EXPECT_EQ(shard.state->source_mark(kNodeA, 3, 2), 2u);
  EXPECT_EQ(shard.state->source_mark(kNodeA, 3, 1), 0u);
  shard.apply(ForgetNodeOp{kNodeA});
  EXPECT_EQ(shard.state->source_mark(kNodeA, 3, 2), 0u);
}

TEST(Session, AConnectOfAnOlderClaimComesTooLate) {
  TestShard shard;
  ConnectOp late = connect_op("c"), won = connect_op("c");
  late.claim_counter = 7;
  won.claim_counter = 8;
  const OpPlace epoch = shard.connect(won);
  const Effects effects = shard.submit(late, {kNodeB, 1, 0, 1});
  EXPECT_THAT(effects.evicted, IsEmpty());
  EXPECT_EQ(effects.done.at(0).outcome, Effects::Outcome::kStaleEpoch);
  EXPECT_EQ(shard.epoch("c"), epoch);
}

TEST(Source, AConnectThatComesAgainFindsItsAnswerInTheSession) {
  TestShard shard;
  shard.connect("c");
  shard.detach("c");
  const Source source{kNodeA, 1, 0, 1};
  const OpPlace epoch = shard.submit(connect_op("c"), source).connected.at(0).epoch;
  const Effects again = shard.submit(connect_op("c"), source);
  EXPECT_THAT(again.done, ElementsAre(Effects::Done{source, Outcome::kRepeat}));
  EXPECT_THAT(again.evicted, IsEmpty());
  const SessionRecord session = *shard.state->session("c");
  EXPECT_EQ(session.epoch, epoch);
  EXPECT_EQ(session.connect_number, 1u);
  EXPECT_TRUE(session.resumed);
}

}  // namespace
}  // namespace shoal::shard
