// Copies of a state from one replica's host to another's: sessions that end in the middle, portions and
// acknowledgements that are lost with them, and the rate.
#include "cluster/replica/shard_host.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/replica/memory_disk.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::replica::test {
namespace {

constexpr NodeId kFrom{1}, kTo{2};
constexpr int kSessions = 400;

class ShardHostTest : public testing::Test {
 protected:
  struct Replica {
    shard::MemoryKeyValues durable;
    MemoryDisk disk{durable};
    std::optional<ShardHost> host;
  };

  void SetUp() override { begin(0); }

  // Of sessions that make many portions.
  void begin(uint64_t rate) {
    shard::TestShard state;
    for (int i = 0; i < kSessions; ++i) state.connect("client " + std::to_string(i));
    from_.durable = state.values;
    from_.disk.reload();
    from_.host.emplace(ShardServer::Options{.copy_rate = rate}, from_.disk);
    to_.host.emplace(ShardServer::Options{}, to_.disk);
    from_.host->on_tick(now_);
  }

  HostEffects from(ToServer mail) {
    from_.host->on(std::move(mail), now_);
    return from_.host->end_turn();
  }
  HostEffects to(ToServer mail) {
    to_.host->on(std::move(mail), now_);
    return to_.host->end_turn();
  }
  HostEffects tick(int millis) {
    now_.mono = now_.mono + Duration::millis(millis);
    to_.host->on_tick(now_);
    to_.host->end_turn();
    from_.host->on_tick(now_);
    return from_.host->end_turn();
  }
  HostEffects want(uint64_t stream, raft::Index least = 1) {
    return from(CopyWanted{kTo, stream, least});
  }
  // The portion arrives and its acknowledgement does; what that brings.
  HostEffects deliver(const HostEffects::Portion& portion) {
    const HostEffects taken = to(CopyCame{kFrom, portion.message});
    staged_ = taken.staged;
    const proto::CopyAck& ack = taken.acks.at(0).message;
    if (ack.refused()) ++refused_;
    return from(CopyAcked{kTo, ack.stream(), ack.number(), ack.refused()});
  }
  // Until nothing more comes; how many portions that took.
  int run(HostEffects effects) {
    int portions = 0;
    while (!effects.portions.empty()) {
      ++portions;
      effects = deliver(effects.portions.at(0));
    }
    is_done_ = !effects.done.empty();
    return portions;
  }
  void lose_session() {
    from(PeerLost{kTo});
    to(PeerLost{kFrom});
  }
  void expect_installed() {
    ASSERT_TRUE(is_done_);
    ASSERT_TRUE(staged_);
    EXPECT_TRUE(to(InstallCopy{staged_->index}).is_installed);
    EXPECT_EQ(to_.durable, from_.durable);
  }

  Now now_{Instant{} + Duration::seconds(1), 1'700'000'000'000};
  Replica from_, to_;
  std::optional<HostEffects::Staged> staged_;
  bool is_done_ = false;
  int refused_ = 0;
};

TEST_F(ShardHostTest, ACopyIsTheState) {
  EXPECT_GT(run(want(1)), 10);
  expect_installed();
}

TEST_F(ShardHostTest, ACopyGoesOnInTheNextSession) {
  const int all = run(want(1));
  begin(0);
  HostEffects effects = want(2);
  for (int i = 0; i < 5; ++i) effects = deliver(effects.portions.at(0));
  lose_session();
  EXPECT_EQ(run(want(3)), all - 5);
  EXPECT_EQ(refused_, 0);
  expect_installed();
}

TEST_F(ShardHostTest, APortionWhoseAcknowledgementWasLostMayComeAgain) {
  HostEffects effects = want(1);
  for (int i = 0; i < 5; ++i) effects = deliver(effects.portions.at(0));
  to(CopyCame{kFrom, effects.portions.at(0).message});
  lose_session();
  effects = want(2);  // and the next session breaks before anything arrives
  lose_session();
  run(want(3));
  EXPECT_EQ(refused_, 0);
  expect_installed();
}

TEST_F(ShardHostTest, TheLastPortionMayComeAgain) {
  HostEffects effects = want(1);
  while (!effects.portions.at(0).message.done()) effects = deliver(effects.portions.at(0));
  ASSERT_TRUE(to(CopyCame{kFrom, effects.portions.at(0).message}).staged);
  lose_session();
  EXPECT_EQ(run(want(2)), 1);
  EXPECT_EQ(staged_->stream, 2u);
  expect_installed();
}

TEST_F(ShardHostTest, WhatTheOtherHasForgottenBeginsAnew) {
  HostEffects effects = want(1);
  for (int i = 0; i < 5; ++i) effects = deliver(effects.portions.at(0));
  lose_session();
  to_.host.emplace(ShardServer::Options{}, to_.disk);
  EXPECT_EQ(run(want(2)), 1);
  EXPECT_EQ(refused_, 1);
  EXPECT_FALSE(is_done_);
  EXPECT_GT(run(want(3)), 10);
  expect_installed();
}

TEST_F(ShardHostTest, ACopyThatIsTooOldBeginsAnew) {
  HostEffects effects = want(1);
  const raft::Index index = effects.begun.at(0).index;
  effects = deliver(effects.portions.at(0));
  lose_session();
  EXPECT_EQ(want(2, index + 1).begun.at(0).index, 0u);
}

TEST_F(ShardHostTest, ACopyThatNobodyComesBackForIsDropped) {
  HostEffects effects = want(1);
  for (int i = 0; i < 5; ++i) effects = deliver(effects.portions.at(0));
  lose_session();
  tick(61'000);
  effects = want(2);
  EXPECT_EQ(effects.portions.at(0).message.number(), 1u);
  EXPECT_EQ(effects.portions.at(0).message.resumes(), 0u);
  run(std::move(effects));
  expect_installed();
}

// The leader's group waits for this copy, and begins no other before it is over.
TEST_F(ShardHostTest, ACopyThatNobodyAnswersIsOver) {
  HostEffects effects = want(1);
  deliver(effects.portions.at(0));
  EXPECT_TRUE(tick(59'000).begun.empty());
  effects = tick(2'000);
  ASSERT_EQ(effects.begun.size(), 1u);
  EXPECT_EQ(effects.begun[0].to, kTo);
  EXPECT_EQ(effects.begun[0].stream, 1u);
  EXPECT_EQ(effects.begun[0].index, 0u);
}

TEST_F(ShardHostTest, ACopyKeepsToItsRate) {
  constexpr uint64_t kRate = 20'000;
  begin(kRate);
  uint64_t bytes = 0;
  int millis = 0;
  HostEffects effects = want(1);
  while (!is_done_ && millis < 60'000) {
    while (!effects.portions.empty()) {
      for (const std::string& each : effects.portions.at(0).message.keys()) bytes += each.size();
      for (const std::string& each : effects.portions.at(0).message.values()) bytes += each.size();
      effects = deliver(effects.portions.at(0));
      is_done_ = !effects.done.empty();
    }
    if (is_done_) break;
    effects = tick(50);
    millis += 50;
  }
  const double seconds = millis / 1e3;
  EXPECT_NEAR(static_cast<double>(bytes) / seconds, kRate, 0.25 * kRate) << bytes;
  expect_installed();
}

}  // namespace
}  // namespace shoal::replica::test
