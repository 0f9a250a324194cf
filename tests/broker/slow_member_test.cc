// Members of shared subscriptions that take messages and do not acknowledge them: what that costs, and
// whom.
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/durable_fixture.h"

namespace shoal::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kSharedByAll = "$share/g/t";
const Duration kSlow = Limits{}.slow_timeout + Duration::seconds(2);
const Duration kLong = Limits{}.publish_timeout * 5;

// A publisher on the first of three nodes.
class SlowMember : public ::testing::Test {
 protected:
  TestClient& join(size_t where, const std::string& client_id, uint16_t receive_maximum = 100) {
    TestClient& member = cluster.connect(
        where, {.client_id = client_id,
                .edit = [receive_maximum](Connect& c) { c.receive_maximum = receive_maximum; }});
    cluster.subscribe(member, kSharedByAll, Qos::k2);
    member.take();
    return member;
  }
  void publish(Qos qos, uint16_t first, uint16_t last) {
    for (uint16_t i = first; i <= last; ++i) {
      cluster.publish(publisher, "t", std::to_string(i), qos, i);
    }
  }
  uint64_t handed_on() {
    return cluster.counters(0).handed_on + cluster.counters(1).handed_on +
           cluster.counters(2).handed_on;
  }

  TestCluster cluster{{.nodes = 3, .workers = 1, .config = {}}};
  TestClient& publisher = cluster.connect(0, "publisher");
};

TEST_F(SlowMember, CostsItsPublisherNothingButTime) {
  TestClient* member = nullptr;
  uint16_t id = 0;
  for (const size_t where : {0u, 1u}) {
    for (const Qos qos : {Qos::k1, Qos::k2}) {
      member = &join(where, "member");
      ++id;
      publish(qos, id, id);
      EXPECT_THAT(member->take(), SizeIs(1));
      cluster.advance(kLong);
      EXPECT_FALSE(publisher.closed);
      EXPECT_FALSE(member->closed);
      EXPECT_THAT(publisher.take(), IsEmpty());
      cluster.ack(*member, qos == Qos::k1 ? PacketType::kPubAck : PacketType::kPubRec, 1);
      const char* const answer = qos == Qos::k1 ? "PUBACK " : "PUBREC ";
      EXPECT_THAT(publisher.take(), ElementsAre(answer + std::to_string(id)));
      cluster.lose(*member);
    }
  }
}

TEST_F(SlowMember, WhatElseIsWaitedForIsNotWaitedForLonger) {
  TestClient& member = join(0, "member");
  TestClient& far = cluster.connect(1, "far");
  cluster.subscribe(far, "t", Qos::k1);
  cluster.hold_acceptances = true;
  publish(Qos::k1, 1, 1);
  EXPECT_THAT(member.take(), SizeIs(1));
  cluster.advance(Limits{}.publish_timeout + Duration::seconds(1));
  EXPECT_THAT(publisher.take(), ElementsAre("DISCONNECT 0x89"));
}

TEST_F(SlowMember, HoldsUpNobodyWhoComesBack) {
  TestClient& member = join(1, "member");
  publish(Qos::k1, 1, 1);
  publish(Qos::k2, 2, 2);
  cluster.advance(kLong);
  cluster.lose(publisher);
  TestClient& again = cluster.open(2, {.client_id = "publisher"});
  EXPECT_THAT(again.take(), ElementsAre("CONNACK 0x00"));
  cluster.ack(member, PacketType::kPubAck, 1);
  cluster.ack(member, PacketType::kPubRec, 2);
  EXPECT_EQ(cluster.counters(0).tickets_now, 0u);
}

TEST_F(SlowMember, WhatItHoldsGoesToAnother) {
  for (const size_t where : {0u, 1u}) {
    for (const size_t other_where : {0u, 1u, 2u}) {
      TestClient& slow = join(where, "slow");
      publish(Qos::k1, 1, 1);
      EXPECT_THAT(slow.take(), SizeIs(1));
      TestClient& other = join(other_where, "other");
      cluster.advance(Limits{}.slow_timeout - Duration::seconds(1));
      EXPECT_THAT(other.take(), IsEmpty());
      const uint64_t before = handed_on();
      cluster.advance(Duration::seconds(3));
      EXPECT_THAT(other.take(), ElementsAre("PUBLISH t 1 q1 id1"));
      EXPECT_EQ(handed_on(), before + 1);
      EXPECT_THAT(publisher.take(), IsEmpty());
      cluster.ack(other, PacketType::kPubAck, 1);
      EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
      cluster.ack(slow, PacketType::kPubAck, 1);  // late, and for nobody
      EXPECT_THAT(publisher.take(), IsEmpty());
      EXPECT_FALSE(slow.closed);
      cluster.lose(slow);
      cluster.lose(other);
      EXPECT_EQ(cluster.counters(where).tickets_now, 0u);
    }
  }
}

TEST_F(SlowMember, IsThereForNobodyUntilItHasCaughtUp) {
  for (const size_t where : {0u, 1u}) {
    TestClient& slow = join(where, "slow");
    publish(Qos::k1, 1, 3);
    EXPECT_THAT(slow.take(), SizeIs(3));
    TestClient& other = join(2, "other");
    cluster.advance(kSlow);
    for (uint16_t i = 1; i <= 3; ++i) cluster.ack(other, PacketType::kPubAck, i);
    other.take();
    cluster.ack(slow, PacketType::kPubAck, 1);
    cluster.advance(Duration::seconds(2));
    publish(Qos::k1, 4, 23);
    EXPECT_THAT(slow.take(), IsEmpty());
    EXPECT_THAT(other.take(), SizeIs(20));
    for (uint16_t i = 2; i <= 3; ++i) cluster.ack(slow, PacketType::kPubAck, i);
    for (uint16_t i = 4; i <= 23; ++i) cluster.ack(other, PacketType::kPubAck, i);
    cluster.advance(Duration::seconds(2));
    publish(Qos::k1, 24, 63);
    EXPECT_GT(slow.take().size(), 5u);
    EXPECT_GT(other.take().size(), 5u);
    cluster.lose(slow);
    for (uint16_t i = 24; i <= 63; ++i) cluster.ack(other, PacketType::kPubAck, i);
    cluster.lose(other);
    publisher.take();
  }
}

// One that joins while its session is slow is slow there, too.
TEST_F(SlowMember, IsSlowWhereverItJoins) {
  TestClient& slow = join(1, "slow");
  publish(Qos::k1, 1, 1);
  cluster.advance(kSlow);
  cluster.subscribe(slow, "$share/h/u", Qos::k1, 2);
  TestClient& other = cluster.connect(2, "other");
  cluster.subscribe(other, "$share/h/u", Qos::k1);
  slow.take();
  other.take();
  for (uint16_t i = 2; i <= 11; ++i) cluster.publish(publisher, "u", "m", Qos::k1, i);
  EXPECT_THAT(slow.take(), IsEmpty());
  EXPECT_THAT(other.take(), SizeIs(10));
}

// [MQTT5-4.8.2-4]
TEST_F(SlowMember, KeepsWhatItWasSentAtQos2AndNothingElse) {
  for (const size_t where : {0u, 1u}) {
    TestClient& slow = join(where, "slow", 1);
    publish(Qos::k2, 1, 2);
    EXPECT_THAT(slow.take(), ElementsAre("PUBLISH t 1 q2 id1"));
    TestClient& other = join(2, "other");
    cluster.advance(kLong);
    EXPECT_THAT(other.take(), ElementsAre("PUBLISH t 2 q2 id1"));
    cluster.ack(other, PacketType::kPubRec, 1);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 2"));
    EXPECT_FALSE(publisher.closed);
    cluster.lose(slow);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBREC 1"));
    EXPECT_THAT(other.take(), ElementsAre("PUBREL 1"));
    cluster.lose(other);
    for (uint16_t i = 1; i <= 2; ++i) cluster.ack(publisher, PacketType::kPubRel, i);
    publisher.take();
  }
}

// All would come twice when there is most to do.
TEST_F(SlowMember, IsNotOneThatGoesOnAcknowledging) {
  TestClient& busy = join(1, "busy");
  publish(Qos::k1, 1, 20);
  EXPECT_THAT(busy.take(), SizeIs(20));
  TestClient& other = join(2, "other");
  for (uint16_t i = 1; i <= 20; ++i) {
    cluster.advance(Limits{}.slow_timeout - Duration::seconds(2));
    cluster.ack(busy, PacketType::kPubAck, i);
  }
  EXPECT_THAT(publisher.take(), SizeIs(20));
  EXPECT_THAT(other.take(), IsEmpty());
}

// What takes a worker a minute comes to others as well until it has shown so.
TEST_F(SlowMember, IsGivenTheTimeThatItTook) {
  TestClient& slow = join(1, "slow");
  TestClient& other = join(2, "other");
  std::vector<size_t> to_others;
  for (uint16_t i = 1; i <= 10; ++i) {
    const auto answer = [&](TestClient& member) {
      std::vector<std::string> got = member.take();
      for (const std::string& each : got) {
        const auto id = static_cast<uint16_t>(std::stoi(each.substr(each.rfind("id") + 2)));
        cluster.ack(member, PacketType::kPubAck, id);
      }
      return got.size();
    };
    publish(Qos::k1, i, i);
    cluster.advance(Limits{}.slow_timeout * 4);
    size_t got = answer(slow) + answer(other);
    for (int more = 0; more < 3; ++more) {
      cluster.advance(Limits{}.slow_timeout * 4);
      got += answer(slow) + answer(other);
    }
    EXPECT_THAT(publisher.take(), SizeIs(1));
    to_others.push_back(got - 1);
  }
  EXPECT_GT(to_others[0], 0u);
  EXPECT_EQ(std::accumulate(to_others.begin() + 3, to_others.end(), size_t{0}), 0u);
}

TEST_F(SlowMember, WhereAllAreSlowEachKeepsWhatItHas) {
  TestClient& first = join(1, "first");
  publish(Qos::k1, 1, 4);
  TestClient& second = join(2, "second");
  cluster.advance(kLong);
  EXPECT_THAT(first.take(), SizeIs(4));
  EXPECT_THAT(second.take(), SizeIs(4));  // it was not slow then
  EXPECT_EQ(handed_on(), 4u);
  publish(Qos::k1, 5, 12);
  EXPECT_EQ(first.take().size() + second.take().size(), 8u);
  EXPECT_FALSE(publisher.closed);
}

TEST_F(SlowMember, TheNextOneMayGoToo) {
  for (const size_t where : {0u, 1u}) {
    TestClient& slow = join(where, "slow");
    publish(Qos::k1, 1, 1);
    slow.take();
    TestClient& second = join(2, "second");
    cluster.advance(kSlow);
    EXPECT_THAT(second.take(), SizeIs(1));
    TestClient& third = join(where, "third");
    cluster.lose(second);
    EXPECT_THAT(third.take(), SizeIs(1));
    cluster.lose(slow);
    EXPECT_THAT(publisher.take(), IsEmpty());
    cluster.ack(third, PacketType::kPubAck, 1);
    EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
    cluster.lose(third);
  }
}

// The publisher's node goes: nobody else knows of the message.
TEST_F(SlowMember, KeepsWhatNobodyCanPickAgain) {
  TestClient& slow = join(1, "slow", 1);
  publish(Qos::k1, 1, 2);
  EXPECT_THAT(slow.take(), SizeIs(1));
  cluster.peer_down(0, 1);
  TestClient& other = join(2, "other");
  cluster.advance(kSlow);
  EXPECT_THAT(other.take(), IsEmpty());
  cluster.ack(slow, PacketType::kPubAck, 1);
  EXPECT_THAT(slow.take(), ElementsAre("PUBLISH t 2 q1 id2"));
}

TEST_F(SlowMember, WhatExpiredMeanwhileGoesToNobody) {  // [MQTT5-3.3.2-5]
  for (const size_t where : {0u, 1u}) {
    TestClient& slow = join(where, "slow");
    cluster.publish(publisher, "t", "1", Qos::k1, 1, [](Publish& p) { p.message_expiry_s = 5; });
    EXPECT_THAT(slow.take(), SizeIs(1));
    TestClient& other = join(0, "other");
    cluster.advance(kSlow);
    EXPECT_THAT(other.take(), IsEmpty());
    EXPECT_THAT(publisher.take(), ElementsAre("PUBACK 1"));
    cluster.lose(slow);
    cluster.lose(other);
  }
  EXPECT_EQ(cluster.dropped(DropReason::kExpired), 2u);
}

// A full queue is emptied before its publishers would wait, and its member be sent away.
TEST(SlowMemberQueue, GoesToAnotherBeforeItIsTooMuch) {
  TestCluster::Options options{.nodes = 2, .workers = 1, .config = {}};
  options.config.limits.queued_max = 5;
  TestCluster cluster(options);
  TestClient& publisher = cluster.connect(0, "publisher");
  TestClient& slow =
      cluster.connect(1, {.client_id = "slow", .edit = [](Connect& c) { c.receive_maximum = 1; }});
  cluster.subscribe(slow, kSharedByAll, Qos::k1);
  for (uint16_t i = 1; i <= 20; ++i) cluster.publish(publisher, "t", "m", Qos::k1, i);
  TestClient& other = cluster.connect(1, "other");
  cluster.subscribe(other, kSharedByAll, Qos::k1);
  other.take();
  cluster.advance(kSlow);
  EXPECT_FALSE(slow.closed);
  EXPECT_THAT(other.take(), SizeIs(20));
  EXPECT_EQ(cluster.counters(1).queued_now, 0u);
  for (uint16_t i = 1; i <= 20; ++i) cluster.ack(other, PacketType::kPubAck, i);
  EXPECT_THAT(publisher.take(), SizeIs(20));
}

}  // namespace
}  // namespace shoal::test
