// A shard that goes on from a replica which lacks the last entries, among others that know of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr uint32_t kLostShard = 1;
constexpr std::string_view kJobs = "$share/g/jobs/#";

class RecoveredTest : public testing::Test {
 protected:
  void SetUp() override { lost_.connect("publisher"); }

  void receive(TestShard& at, uint16_t packet_id, std::string_view payload) {
    at.apply(
        ReceiveOp{"publisher", at.epoch("publisher"), packet_id, message("t", payload, Qos::k2)});
  }
  void carry(TestShard& from) {
    for (const OutboxMessage& item : from.state->outbox(0, {})) {
      other_.apply(forwarded(item, kLostShard));
      from.apply(OutboxDoneOp{{item.number}});
    }
  }
  // As it was at `before`, and the first entry of the new group.
  std::unique_ptr<TestShard> recovered(const TestShard& before) {
    auto shard = std::make_unique<TestShard>();
    shard->values = before.values;
    shard->index = before.index;
    shard->restart();
    shard->apply(FeatureOp{kRecoveredLevel}, RecoveredOp{});
    return shard;
  }
  // `lost_` as it is now.
  std::unique_ptr<TestShard> replica() {
    auto shard = std::make_unique<TestShard>();
    shard->values = lost_.values;
    shard->index = lost_.index;
    return shard;
  }

  TestShard lost_, other_;
};

TEST_F(RecoveredTest, NewItemsOfItsOutboxAreNoRepeats) {
  other_.connect("subscriber");
  other_.subscribe("subscriber", "t");
  receive(lost_, 1, "known");
  const auto before = replica();
  receive(lost_, 2, "lost with its replicas");
  receive(lost_, 3, "too");
  carry(lost_);
  const auto shard = recovered(*before);
  receive(*shard, 2, "new");
  EXPECT_THAT(shard->state->outbox(0, {}), SizeIs(2));
  carry(*shard);
  // The first one again, which was answered; then the new one.
  EXPECT_EQ(other_.skips(SkipReason::kRepeat), 1u);
  EXPECT_THAT(other_.payloads("subscriber"),
              ElementsAre("known", "lost with its replicas", "too", "new"));
}

TEST_F(RecoveredTest, MembershipsAreLaterThanThoseThatOthersHeardOf) {
  const auto before = replica();
  lost_.connect("member");
  lost_.subscribe("member", kJobs);
  lost_.detach("member");
  carry(lost_);
  ASSERT_FALSE(other_.state->member(kJobs, "member")->online);
  const OpPlace heard_of = other_.state->member(kJobs, "member")->version;
  const auto shard = recovered(*before);
  shard->connect("member");
  shard->subscribe("member", kJobs);
  carry(*shard);
  EXPECT_TRUE(other_.state->member(kJobs, "member")->online);
  EXPECT_GT(other_.state->member(kJobs, "member")->version, heard_of);
}

TEST_F(RecoveredTest, EpochsAreLaterThanThoseThatWereLost) {
  const auto before = replica();
  for (int i = 0; i < 5; ++i) lost_.connect("publisher");
  const auto shard = recovered(*before);
  EXPECT_GT(shard->connect("publisher"), lost_.epoch("publisher"));
  // And again, should that be lost, too.
  const OpPlace epoch = shard->epoch("publisher");
  shard->apply(RecoveredOp{});
  EXPECT_GT(shard->connect("publisher"), epoch + (uint64_t{1} << 40));
  shard->restart();
  EXPECT_GT(shard->connect("publisher"), epoch + (uint64_t{1} << 40));
}

}  // namespace
}  // namespace shoal::shard
