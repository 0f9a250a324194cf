// One session's queue: matching, acknowledgements, window, redelivery.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/rules/topic.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Matching, ASessionGetsOneCopyWithTheHighestQosAndAllIdentifiers) {
  TestShard shard;  // [MQTT5-3.3.4-2] [MQTT5-3.3.4-4]
  shard.connect("c");
  shard.subscribe("c", {.filter = "a/+", .qos = Qos::k1, .identifier = 9});
  shard.subscribe("c", {.filter = "a/b", .qos = Qos::k2, .identifier = 4});
  shard.subscribe("c", {.filter = "#", .qos = Qos::k0, .identifier = 7});
  shard.publish("a/b", "x", Qos::k2);
  const std::vector<Delivery> got = shard.deliveries("c");
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].qos, Qos::k2);
  EXPECT_THAT(got[0].identifiers, ElementsAre(4, 7, 9));
}

TEST(Matching, RowByRow) {
  const struct {
    FilterSpec filter;
    const char* topic;
    Qos qos;
    bool retain;
    int got;  // -1: nothing; otherwise QoS, and 10 more with RETAIN
  } kRows[] = {
      {{.filter = "a/b", .qos = Qos::k1}, "a/b", Qos::k2, false, 1},
      {{.filter = "a/b", .qos = Qos::k2}, "a/b", Qos::k1, false, 1},
      {{.filter = "a/b", .qos = Qos::k0}, "a/b", Qos::k2, false, -1},
      {{.filter = "a/b", .qos = Qos::k2}, "a/b", Qos::k0, false, -1},
      {{.filter = "a/c", .qos = Qos::k2}, "a/b", Qos::k2, false, -1},
      {{.filter = "#", .qos = Qos::k1}, "$SYS/x", Qos::k1, false, -1},
      {{.filter = "a/#", .qos = Qos::k1}, "a", Qos::k1, true, 1},
      {{.filter = "a", .qos = Qos::k1, .retain_as_published = true}, "a", Qos::k1, true, 11},
      {{.filter = "a", .qos = Qos::k1, .no_local = true}, "a", Qos::k1, false, -1},
  };
  for (const auto& row : kRows) {
    TestShard shard;
    shard.connect("c");
    shard.subscribe("c", row.filter);
    MessageSpec spec = message(row.topic, "x", row.qos);
    spec.retain = row.retain;
    if (row.filter.no_local) spec.publisher = client_id_hash("c", 0);
    shard.apply(PublishOp{spec});
    const std::vector<Delivery> got = shard.deliveries("c");
    const int is = got.empty() ? -1 : static_cast<int>(got[0].qos) + (got[0].retain ? 10 : 0);
    EXPECT_EQ(is, row.got) << row.filter.filter << " " << row.topic;
  }
}

TEST(Matching, RoutesNameFiltersOfQosAboveZeroOnce) {
  TestShard shard;
  shard.connect("c");
  shard.connect("d");
  const auto on = Effects::RouteChange{"a", 1}, off = Effects::RouteChange{"a", 0};
  EXPECT_THAT(shard.subscribe("c", "a", Qos::k0).routes, IsEmpty());
  EXPECT_THAT(shard.subscribe("c", "a", Qos::k1).routes, ElementsAre(on));
  EXPECT_THAT(shard.subscribe("c", "a", Qos::k2).routes, IsEmpty());
  EXPECT_THAT(shard.subscribe("d", "a", Qos::k2).routes, IsEmpty());
  EXPECT_THAT(shard.subscribe("c", "a", Qos::k0).routes, IsEmpty());
  EXPECT_THAT(shard.state->routes(), ElementsAre(on));
  EXPECT_THAT(shard.apply(UnsubscribeOp{"d", shard.epoch("d"), {"a", "b"}}).routes,
              ElementsAre(off));
}

TEST(Bodies, AreStoredOnceHoweverManyQueuesHoldThem) {
  TestShard shard;
  for (const char* id : {"a", "b", "c"}) {
    shard.connect(id);
    shard.subscribe(id, "t");
  }
  shard.publish("t", std::string(1000, 'x'));
  EXPECT_EQ(shard.state->meta().bodies, 1u);
  EXPECT_LT(shard.state->meta().bodies_bytes, 1100u);
  shard.publish("nobody", "x");
  EXPECT_EQ(shard.state->meta().bodies, 1u);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(shard.state->meta().bodies, 1u);
    shard.ack(id, shard.deliveries(id).at(0).number);
  }
  EXPECT_EQ(shard.state->meta().bodies, 0u);
  EXPECT_EQ(shard.state->meta().bodies_bytes, 0u);
}

// ---- acknowledgements

TEST(Acks, EachQosItsOwn) {
  using K = AckKind;
  const struct {
    Qos qos;
    std::vector<K> acks;
    int left;      // messages
    int released;  // of them
    int ignored;
  } kRows[] = {
      {Qos::k1, {K::kPuback}, 0, 0, 0},
      {Qos::k1, {K::kPuback, K::kPuback}, 0, 0, 1},
      {Qos::k1, {K::kPubrec}, 1, 0, 1},
      {Qos::k1, {K::kPubcomp}, 1, 0, 1},
      {Qos::k2, {K::kPuback}, 1, 0, 1},
      {Qos::k2, {K::kPubcomp}, 1, 0, 1},
      {Qos::k2, {K::kPubrec}, 1, 1, 0},
      {Qos::k2, {K::kPubrec, K::kPubrec}, 1, 1, 1},
      {Qos::k2, {K::kPubrec, K::kPubrecRefused}, 1, 1, 1},
      {Qos::k2, {K::kPubrec, K::kPubcomp}, 0, 0, 0},
      {Qos::k2, {K::kPubrecRefused}, 0, 0, 0},  // [MQTT5-4.3.3-9]
  };
  for (const auto& row : kRows) {
    TestShard shard;
    shard.connect("c");
    shard.subscribe("c", "a");
    shard.publish("a", "x", row.qos);
    const uint64_t number = shard.deliveries("c").at(0).number;
    for (const K kind : row.acks) shard.ack("c", number, kind);
    const std::vector<Delivery> left = shard.deliveries("c");
    EXPECT_EQ(static_cast<int>(left.size()), row.left);
    if (!left.empty()) EXPECT_EQ(left[0].released, row.released == 1);
    EXPECT_EQ(static_cast<int>(shard.skips(SkipReason::kNotWaited)), row.ignored);
    // A body is not needed once its PUBREC is there.
    EXPECT_EQ(shard.state->meta().bodies, static_cast<uint64_t>(row.left - row.released));
  }
}

TEST(Acks, OfWhatWasNeverSentAreIgnored) {
  TestShard shard;
  shard.connect("c");  // the window is 4 x 2
  shard.subscribe("c", "a");
  for (int i = 0; i < 9; ++i) shard.publish("a", "x");
  const QueueState queue = shard.state->session("c")->queue;
  shard.ack("c", queue.tail - 1);
  shard.ack("c", queue.tail);
  shard.ack("c", 0);
  EXPECT_EQ(shard.skips(SkipReason::kNotWaited), 3u);
  EXPECT_EQ(shard.state->session("c")->queue.queued, 9u);
}

// ---- the window

TEST(Window, IsFourTimesReceiveMaximumAndMovesOnWithAcknowledgements) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  for (int i = 0; i < 10; ++i) shard.publish("a", std::to_string(i));
  const std::vector<Delivery> sent = shard.deliveries("c");
  ASSERT_THAT(sent, SizeIs(8));
  const Effects effects = shard.ack("c", sent[3].number);
  EXPECT_THAT(effects.deliverable,
              ElementsAre(Effects::Deliverable{"c", shard.epoch("c"), sent[0].number + 9}));
  EXPECT_THAT(shard.deliveries("c"), SizeIs(8));
  EXPECT_THAT(shard.payloads("c"), ElementsAre("0", "1", "2", "4", "5", "6", "7", "8"));
}

TEST(Window, DoesNotGrowWhileTheClientIsAway) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  shard.publish("a", "0");
  shard.detach("c");
  EXPECT_THAT(shard.publish("a", "1").deliverable, IsEmpty());
  EXPECT_THAT(shard.payloads("c"), ElementsAre("0"));
}

TEST(Window, WhatMayHaveBeenSentComesAgainWithDupAndTheSameNumber) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  for (const char* payload : {"1", "2", "3"}) shard.publish("a", payload, Qos::k2);
  const std::vector<Delivery> first = shard.deliveries("c");
  EXPECT_FALSE(first[0].dup);
  shard.ack("c", first[0].number, AckKind::kPubrec);
  shard.detach("c");
  shard.publish("a", "4", Qos::k2);
  shard.restart();
  shard.connect("c");
  const std::vector<Delivery> second = shard.deliveries("c");
  ASSERT_THAT(second, SizeIs(4));
  EXPECT_TRUE(second[0].released);  // [MQTT5-4.3.3-6]
  for (int i = 0; i < 3; ++i) EXPECT_EQ(second[i].number, first[i].number);
  EXPECT_TRUE(second[1].dup && second[2].dup);
  EXPECT_FALSE(second[3].dup);
}

TEST(Window, ASmallerReceiveMaximumTakesNothingBack) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  for (int i = 0; i < 9; ++i) shard.publish("a", "x");
  ConnectOp smaller = connect_op("c");
  smaller.receive_maximum = 1;
  shard.connect(smaller);
  EXPECT_THAT(shard.deliveries("c"), SizeIs(8));
  shard.ack("c", shard.deliveries("c")[0].number);
  EXPECT_THAT(shard.deliveries("c"), SizeIs(7));
}

// A packet identifier comes again only when all that had it are finished [MQTT5-2.2.1-4]
// [MQTT311-2.3.1-4].
TEST(Window, NeverHoldsTwoNumbersOfOnePacketIdentifier) {
  TestShard shard;
  ConnectOp op = connect_op("c");
  op.receive_maximum = 100;
  shard.connect(op);
  shard.subscribe("c", "a");
  shard.publish("a", "stays");
  const uint64_t first = shard.deliveries("c").at(0).number;
  // The others are acknowledged as they come.
  for (uint64_t left = 65'600; left != 0; left -= 100) {
    EntryBuilder entry(shard.stamp);
    for (int i = 0; i < 100; ++i) entry.add(PublishOp{message("a", "x")});
    AckOp acks{"c", shard.epoch("c"), {}};
    const uint64_t tail = shard.state->session("c")->queue.tail;
    for (uint64_t n = tail; n < tail + 100; ++n)
      acks.acks.push_back(AckOp::ack(n, AckKind::kPuback));
    entry.add(acks);
    Effects effects;
    shard.state->apply(++shard.index, entry.finish(), effects);
  }
  const std::vector<Delivery> open = shard.deliveries("c");
  ASSERT_FALSE(open.empty());
  EXPECT_EQ(open[0].number, first);
  EXPECT_LT(shard.state->session("c")->queue.window_end, first + 65'536);
  EXPECT_EQ(shard.state->session("c")->queue.unsent, first + 65'535);
  const Effects effects = shard.ack("c", first);
  EXPECT_THAT(effects.deliverable, SizeIs(1));
  EXPECT_EQ(packet_id_of(shard.deliveries("c").at(0).number), packet_id_of(first));
}

TEST(Queue, SegmentsGoWithTheirLastMessage) {
  TestShard shard;
  shard.apply(LimitsOp{});  // none
  ConnectOp op = connect_op("c");
  op.receive_maximum = 1000;
  shard.connect(op);
  shard.subscribe("c", "a");
  const size_t before = shard.values.size();
  for (int i = 0; i < 500; ++i) {
    Effects effects;
    EntryBuilder entry(shard.stamp);
    entry.add(PublishOp{message("a", "x")});
    shard.state->apply(++shard.index, entry.finish(), effects);
  }
  EXPECT_LE(shard.values.size(), before + 500 + 500 / Queue::kSegment + 2);
  std::vector<Delivery> all = shard.state->deliveries("c", 0, {.items = 1000});
  ASSERT_THAT(all, SizeIs(500));
  std::swap(all.front(), all.back());  // a hole of all but the first and last
  AckOp acks{"c", shard.epoch("c"), {}};
  for (const Delivery& each : all) acks.acks.push_back(AckOp::ack(each.number, AckKind::kPuback));
  shard.apply(acks);
  EXPECT_EQ(shard.values.size(), before);
  EXPECT_EQ(shard.state->meta().queued, 0u);
}

TEST(Queue, IsReadInPortions) {
  TestShard shard;
  shard.connect("c");
  shard.subscribe("c", "a");
  for (int i = 0; i < 5; ++i) shard.publish("a", std::to_string(i));
  const auto first = shard.state->deliveries("c", 0, {.items = 2});
  ASSERT_THAT(first, SizeIs(2));
  const auto second = shard.state->deliveries("c", first.back().number + 1, {.bytes = 1});
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].message.payload, "2");
  EXPECT_THAT(shard.state->deliveries("nobody", 0, {}), IsEmpty());
}

}  // namespace
}  // namespace shoal::shard
