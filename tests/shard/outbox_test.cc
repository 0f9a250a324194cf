// QoS 2 inbound, the outbox and its marks, shared subscriptions across shards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint32_t kShardP = 1;  // of publishers, and of members
constexpr uint32_t kShardS = 2;
constexpr std::string_view kGroup = "$share/g/jobs/#";

TEST(Inbound, AnIdentifierAndItsMessageAreOneChange) {  // [MQTT5-4.3.3-10]
  TestShard shard;
  shard.connect("c");
  const ReceiveOp receive{"c", shard.epoch("c"), 5, message("t", "x", Qos::k2)};
  EXPECT_EQ(shard.apply(receive).outbox_end, 1u);
  EXPECT_TRUE(shard.state->has_received("c", 5));
  // The same again, on this connection and the next.
  EXPECT_EQ(shard.apply(receive).outbox_end, 0u);
  shard.connect("c");
  EXPECT_EQ(shard.apply(ReceiveOp{"c", shard.epoch("c"), 5, message("t", "x", Qos::k2)}).outbox_end,
            0u);
  EXPECT_THAT(shard.state->outbox(0, {}), SizeIs(1));
  shard.apply(ReceiveOp{"c", shard.epoch("c"), 65535, message("t", "z", Qos::k2)});
  EXPECT_THAT(shard.state->received("c"), ElementsAre(5, 65535));
  EXPECT_THAT(shard.state->received("other"), IsEmpty());
  shard.apply(ReleaseOp{"c", shard.epoch("c"), 65535});
  // After PUBREL the identifier is a new one [MQTT5-4.3.3-12].
  shard.apply(ReleaseOp{"c", shard.epoch("c"), 5});
  shard.apply(ReleaseOp{"c", shard.epoch("c"), 5});
  EXPECT_FALSE(shard.state->has_received("c", 5));
  EXPECT_EQ(shard.state->session("c")->received, 0u);
  EXPECT_EQ(shard.apply(ReceiveOp{"c", shard.epoch("c"), 5, message("t", "y", Qos::k2)}).outbox_end,
            3u);
}

TEST(Inbound, WithoutATopicOrIdentifierIsMalformed) {
  TestShard shard;
  shard.connect("c");
  shard.apply(ReceiveOp{"c", shard.epoch("c"), 0, message("t", "x", Qos::k2)},
              ReceiveOp{"c", shard.epoch("c"), 1, message("", "x", Qos::k2)},
              PublishOp{message("", "x")});
  EXPECT_EQ(shard.skips(SkipReason::kMalformed), 3u);
}

TEST(Outbox, ItemsLeaveWhenDone) {
  TestShard shard;
  shard.connect("c");
  for (uint16_t id : {1, 2, 3}) {
    shard.apply(ReceiveOp{"c", shard.epoch("c"), id, message("t", "x", Qos::k2)});
  }
  shard.apply(OutboxDoneOp{{1, 3}});
  shard.apply(OutboxDoneOp{{3, 9}});
  EXPECT_EQ(shard.skips(SkipReason::kNotWaited), 2u);
  ASSERT_THAT(shard.state->outbox(0, {}), SizeIs(1));
  EXPECT_EQ(shard.state->outbox(0, {})[0].number, 2u);
  EXPECT_THAT(shard.state->outbox(2, {}), IsEmpty());
  shard.apply(OutboxDoneOp{{2}});
  EXPECT_EQ(shard.state->meta().bodies, 0u);
  // Numbers go on.
  EXPECT_EQ(shard.apply(ReceiveOp{"c", shard.epoch("c"), 4, message("t", "x", Qos::k2)}).outbox_end,
            4u);
}

TEST(OutboxIn, IsAppliedOnceAndOnlyBehindWhatWentBefore) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "t");
  const struct {
    uint32_t source;
    uint64_t number, previous;
    bool accepted, queued;
  } kRows[] = {
      {1, 3, 0, true, true}, {1, 3, 0, true, false},  {1, 9, 7, false, false},
      {1, 7, 3, true, true}, {1, 9, 7, true, true},   {1, 5, 3, true, false},
      {2, 1, 0, true, true}, {2, 4, 2, false, false}, {1, 20, 9, true, true},
  };
  size_t queued = 0;
  for (const auto& row : kRows) {
    OutboxInOp op{.source_shard = row.source, .number = row.number, .previous = row.previous};
    op.item.message = message("t", "x", Qos::k2);
    const Effects effects = shard.apply(op);
    EXPECT_THAT(effects.outbox_answers,
                ElementsAre(Effects::OutboxAnswer{row.source, row.number, row.accepted}));
    queued += row.queued ? 1 : 0;
    EXPECT_EQ(shard.state->session("c")->queue.queued, queued) << row.number;
    shard.restart();
  }
}

TEST(OutboxIn, WhatCannotBeUsedIsAnsweredAllTheSame) {
  TestShard shard;
  for (const OutboxKind kind : {OutboxKind::kMessage, OutboxKind::kMembership,
                                OutboxKind::kDelivery, OutboxKind::kReturn}) {
    OutboxInOp op{.source_shard = 1, .number = static_cast<uint64_t>(kind) + 1};
    op.item.kind = kind;
    EXPECT_TRUE(shard.apply(op).outbox_answers.at(0).accepted);
  }
  EXPECT_EQ(shard.skips(SkipReason::kMalformed), 4u);
  OutboxInOp plain{.source_shard = 1, .number = 9};
  plain.item = {
      .kind = OutboxKind::kMembership, .group = "no/group", .client_id = "c", .present = true};
  shard.apply(plain);
  EXPECT_THAT(shard.state->groups(), IsEmpty());
}

// ---- shared subscriptions: members' sessions in P, the group in S

struct TwoShards {
  // All that one shard's outbox holds for the other, as both leaders would.
  void carry(TestShard& from, uint32_t shard, TestShard& to) {
    for (const OutboxMessage& item : from.state->outbox(0, {})) {
      to.apply(forwarded(item, shard));
      from.apply(OutboxDoneOp{{item.number}});
    }
  }
  void settle() {
    carry(p, kShardP, s);
    carry(s, kShardS, p);
    carry(p, kShardP, s);
  }
  void join(std::string_view id, Qos qos = Qos::k2) {
    p.connect(id);
    p.subscribe(id, kGroup, qos);
    settle();
  }
  Effects take(std::string_view id, uint32_t count) {
    return s.apply(TakeOp{kGroup, id, s.state->member(kGroup, id)->version, count});
  }
  // As a publisher's node does that picked the shard for the group.
  Effects publish(const MessageSpec& spec) {
    return s.apply(PublishOp{.message = spec, .group = kGroup});
  }
  Effects publish(std::string_view payload, Qos qos = Qos::k1) {
    return publish(message("jobs/x", payload, qos));
  }
  // What is in the group's shard for members that are no shard's.
  std::vector<std::string> for_others() {
    std::vector<std::string> payloads;
    for (const OutboxMessage& item : s.state->outbox(0, {})) {
      const bool is_for_group =
          item.record.kind == OutboxKind::kMessage && item.record.group == kGroup;
      if (is_for_group) payloads.push_back(item.message->payload);
    }
    return payloads;
  }
  uint64_t waiting() {
    const GroupRecord group = *s.state->group(kGroup);
    return group.returned.queued + group.fresh.queued;
  }

  TestShard p, s;
};

class SharedTest : public testing::Test, protected TwoShards {};

TEST_F(SharedTest, AMemberTakesWhatTheGroupHas) {
  join("m");
  EXPECT_THAT(s.state->routes(), ElementsAre(Effects::RouteChange{std::string(kGroup), 1, 0}));
  EXPECT_THAT(p.state->routes(), IsEmpty());
  for (const char* payload : {"1", "2", "3"}) {
    EXPECT_THAT(publish(payload, Qos::k2).groups_filled, ElementsAre(std::string(kGroup)));
  }
  take("m", 2);
  settle();
  EXPECT_THAT(p.payloads("m"), ElementsAre("1", "2"));
  EXPECT_EQ(waiting(), 1u);
  EXPECT_EQ(s.state->meta().bodies, 1u);
}

TEST_F(SharedTest, TheLowerQosAndTheMembersOptionsCount) {
  p.connect("m");
  p.subscribe("m",
              {.filter = kGroup, .qos = Qos::k1, .retain_as_published = true, .identifier = 8});
  settle();
  MessageSpec spec = message("jobs/x", "1", Qos::k2);
  spec.retain = true;
  publish(spec);
  take("m", 1);
  settle();
  const Delivery got = p.deliveries("m").at(0);
  EXPECT_EQ(got.qos, Qos::k1);
  EXPECT_TRUE(got.retain);
  EXPECT_THAT(got.identifiers, ElementsAre(8));
}

TEST_F(SharedTest, OnlyAMemberOnlineByItsLatestVersionTakes) {
  join("m");
  publish("1");
  const OpPlace old = s.state->member(kGroup, "m")->version;
  p.detach("m");
  settle();
  s.apply(TakeOp{kGroup, "m", old, 1});
  take("m", 1);
  s.apply(TakeOp{kGroup, "nobody", 0, 1}, TakeOp{"$share/no/x", "m", 0, 1});
  EXPECT_EQ(s.skips(SkipReason::kStaleEpoch), 2u);
  EXPECT_EQ(s.skips(SkipReason::kNoSession), 2u);
  EXPECT_EQ(waiting(), 1u);
  p.connect("m");
  carry(p, kShardP, s);
  take("m", 1);
  settle();
  EXPECT_THAT(p.payloads("m"), ElementsAre("1"));
}

TEST(Shared, WhatMayHaveArrivedGoesToAnotherAtQos1Only) {  // [MQTT5-4.8.2-4] [MQTT5-4.8.2-5]
  const struct {
    Qos qos;
    bool sent;
    bool returns;
  } kRows[] = {{Qos::k1, true, true},
               {Qos::k1, false, true},
               {Qos::k2, true, false},
               {Qos::k2, false, true}};
  for (const auto& row : kRows) {
    TwoShards two;
    two.join("m");
    two.join("n");
    two.publish("1", row.qos);
    two.take("m", 1);
    if (!row.sent) two.p.detach("m");  // before it comes into the session
    two.settle();
    EXPECT_EQ(two.waiting(), 0u);
    ConnectOp clean = connect_op("m");
    clean.clean_start = true;
    two.p.connect(clean);
    two.settle();
    EXPECT_EQ(two.waiting(), row.returns ? 1u : 0u) << static_cast<int>(row.qos) << row.sent;
    EXPECT_EQ(two.p.drops(DropReason::kSharedSent), row.returns ? 0u : 1u);
  }
}

TEST_F(SharedTest, WhatComesBackIsTakenFirst) {
  join("m");
  join("n");
  for (const char* payload : {"1", "2"}) publish(payload);
  take("m", 1);
  settle();
  p.apply(DetachOp{"m", p.epoch("m"), true, 0});
  settle();
  s.restart();
  take("n", 5);
  settle();
  EXPECT_THAT(p.payloads("n"), ElementsAre("1", "2"));
  EXPECT_FALSE(s.state->member(kGroup, "m").has_value());
}

TEST_F(SharedTest, ADeliveryForASessionThatIsNoMemberComesBack) {
  join("m");
  join("n");
  publish("1", Qos::k2);
  take("m", 1);
  p.apply(UnsubscribeOp{"m", p.epoch("m"), {kGroup}});
  carry(s, kShardS, p);
  carry(p, kShardP, s);
  EXPECT_THAT(p.payloads("m"), IsEmpty());
  EXPECT_EQ(waiting(), 1u);
}

TEST_F(SharedTest, WhatIsLeftByTheLastDurableMemberIsForOthers) {
  join("m");
  publish("1");
  publish("nobody waits", Qos::k0);
  publish("2", Qos::k2);
  p.apply(UnsubscribeOp{"m", p.epoch("m"), {kGroup}});
  carry(p, kShardP, s);
  EXPECT_THAT(s.state->groups(), IsEmpty());
  EXPECT_THAT(s.state->routes(), IsEmpty());
  EXPECT_THAT(for_others(), ElementsAre("1", "2"));
  EXPECT_EQ(s.drops(DropReason::kGroupEnded), 1u);
  settle();
  EXPECT_EQ(s.state->meta().bodies, 0u);
}

TEST_F(SharedTest, WhatComesToAGroupThatEndedIsForOthers) {
  join("m");
  publish("1", Qos::k2);
  take("m", 1);
  p.apply(UnsubscribeOp{"m", p.epoch("m"), {kGroup}});
  carry(s, kShardS, p);
  carry(p, kShardP, s);  // the member went before the message came back
  EXPECT_THAT(for_others(), ElementsAre("1"));
  publish("2");
  publish("nobody waits", Qos::k0);
  EXPECT_THAT(for_others(), ElementsAre("1", "2"));
  EXPECT_EQ(s.drops(DropReason::kGroupEnded), 1u);
  settle();
  EXPECT_EQ(s.state->meta().bodies, 0u);
}

TEST_F(SharedTest, AMessageThatDidNotPickTheGroupIsNotQueuedForIt) {
  join("m");
  s.publish("jobs/x", "1");
  EXPECT_EQ(waiting(), 0u);
  s.apply(PublishOp{.message = message("jobs/x", "2"), .group = "$share/no/jobs/#"});
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(SharedTest, WhatIsForAGroupAloneIsNotMatched) {
  join("m");
  s.connect("plain");
  s.subscribe("plain", "jobs/#");
  s.apply(PublishOp{.message = message("jobs/x", "1"), .group = kGroup});
  EXPECT_EQ(waiting(), 1u);
  EXPECT_THAT(s.payloads("plain"), IsEmpty());
}

TEST_F(SharedTest, OfTheSameItemOnePickIsTaken) {
  join("m");
  const std::string_view other = "$share/h/jobs/#";
  p.subscribe("m", other);
  settle();
  const struct {
    std::string_view group;
    PickedItem item;
    bool taken;
  } kRows[] = {
      {kGroup, {1, 5, 5}, true},  {kGroup, {1, 5, 5}, false}, {other, {1, 5, 5}, true},
      {kGroup, {2, 5, 5}, true},  {kGroup, {1, 7, 5}, true},  {kGroup, {1, 5, 5}, false},
      {kGroup, {1, 8, 7}, true},  // 5 is done, and what is told of it came too late
      {kGroup, {1, 5, 5}, false}, {other, {1, 6, 5}, false},  {kGroup, {1, 7, 7}, false},
      {kGroup, {1, 7, 5}, false}, {other, {1, 7, 7}, true},
  };
  uint64_t queued = 0;
  for (const auto& row : kRows) {
    s.apply(PublishOp{.message = message("jobs/x", "1"), .group = row.group, .item = row.item});
    queued += row.taken ? 1 : 0;
    EXPECT_EQ(s.state->meta().queued, queued) << row.item.number;
    s.restart();
  }
  size_t kept = 0;
  s.values.scan("", "", [&kept](std::string_view key, std::string_view) {
    kept += KeyParts(key).kind() == KeyKind::kPickedItem ? 1 : 0;
    return true;
  });
  EXPECT_EQ(kept, 4u);  // of source 1 those at 7 and 8, and that of source 2
}

TEST_F(SharedTest, RoutesCountMembersByWhetherTheyAreAttached) {
  const auto route = [](uint32_t online, uint32_t offline) {
    return ElementsAre(Effects::RouteChange{std::string(kGroup), online, offline});
  };
  join("m");
  join("n", Qos::k0);
  EXPECT_THAT(s.state->routes(), route(2, 0));
  p.detach("m");
  settle();
  EXPECT_THAT(s.state->routes(), route(1, 1));
  s.restart();
  EXPECT_THAT(s.state->routes(), route(1, 1));
}

TEST_F(SharedTest, AtQos0AMessageIsFinishedByThatItWasSent) {
  join("m", Qos::k0);
  publish("1");
  take("m", 1);
  settle();
  const Delivery got = p.deliveries("m").at(0);
  EXPECT_EQ(got.qos, Qos::k0);
  p.ack("m", got.number);
  EXPECT_EQ(p.state->meta().bodies, 0u);
  p.detach("m");
  settle();
  publish("nobody is there", Qos::k0);
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(SharedTest, ExpiredOnesAreNotTaken) {
  join("m");
  MessageSpec spec = message("jobs/x", "old");
  spec.expiry_s = 1;
  publish(spec);
  publish("new");
  s.stamp += 1'000;
  take("m", 1);
  settle();
  EXPECT_THAT(p.payloads("m"), ElementsAre("new"));
  EXPECT_EQ(s.drops(DropReason::kExpired), 1u);
}

}  // namespace
}  // namespace shoal::shard
