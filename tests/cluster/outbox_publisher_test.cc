// A message of a shared subscription that has no durable member any more: the leader of the group's
// shard finds who else shares.
#include "cluster/core/outbox_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/rules/forward_batch.h"

namespace shoal {
namespace {

using testing::ElementsAre;

constexpr uint32_t kShard = 3;
constexpr uint64_t kNumber = 9;
constexpr const char* kGroup = "$share/g/t/#";

HubConfig two_workers() {
  HubConfig config;
  config.workers = 2;
  return config;
}

class OutboxPublisherTest : public testing::Test {
 protected:
  OutboxPublisherTest()
      : context_(two_workers(), StoredState{.id = NodeId{1}}, 1),
        publisher_(context_, forwarding_, surroundings()) {
    publisher_.on_lead(kShard, 5);
    route({kSelf, 0}, "t/#");
  }

  void route(Place place, const std::string& filter, uint16_t online = 1) {
    publisher_.on_route({place, {filter, {.online = online}}});
  }
  void publish(Qos qos, std::vector<shard::OutboxPick> picks = {}) {
    MessageView view{.qos = qos, .topic = "t/x"};
    publisher_.publish({.shard = kShard,
                        .number = kNumber,
                        .least = kNumber,
                        .message = Message::create(view),
                        .group = kGroup,
                        .picks = std::move(picks)});
  }
  void answer(bool placed) { publisher_.on_answer(kSelf, kShard, kNumber, 1, placed); }

  OutboxPublisher::Surroundings surroundings() {
    return {.pair_at = [](NodeSlot) { return nullptr; },
            .pair_of = [](NodeId) { return nullptr; },
            .deliver_here =
                [this](OutboxParcel&& parcel) { seen_.push_back("part " + worker_of(parcel)); },
            .targets = [](uint32_t, uint64_t, uint64_t shards) { EXPECT_EQ(shards, 0u); },
            .published = [this](uint32_t, uint64_t) { seen_.push_back("published"); },
            .to_group =
                [this](uint32_t shard, const std::string& group, const MessageRef&,
                       const PickedItem& item) {
                  EXPECT_EQ(group, kGroup);
                  EXPECT_EQ(item.shard, kShard);
                  EXPECT_EQ(item.number, kNumber);
                  EXPECT_EQ(item.least, kNumber);
                  seen_.push_back("shard " + std::to_string(shard));
                  return ++asks_;
                },
            .retain =
                [this](const MessageRef&) {
                  seen_.push_back("retained");
                  return uint64_t{1};
                },
            .picks = [this](uint32_t, uint64_t,
                            std::vector<shard::OutboxPick>) { seen_.push_back("picks"); },
            .nobody = [this](const std::string& group) { seen_.push_back("nobody of " + group); }};
  }
  std::string worker_of(const OutboxParcel& parcel) {
    ForwardBatchReader reader(*parcel.batch, context_.now.mono);
    ForwardRecord record;
    SharedPick pick;
    EXPECT_TRUE(reader.next(record) && record.worker_mask == 0 && record.picks.next(pick));
    EXPECT_EQ(pick.filter, kGroup);
    EXPECT_EQ(parcel.term, 5u);
    return std::to_string(parcel.part) + " for worker " + std::to_string(pick.worker);
  }
  std::vector<std::string> seen() { return std::exchange(seen_, {}); }

  Context context_;
  Members members_{std::vector<StoredMember>()};
  Leases leases_{context_, members_};
  Routes routes_{context_, [] { return std::vector<Pair*>(); },
                 [] { return std::vector<NodeId>(); }};
  Forwarding forwarding_{context_, routes_, leases_};
  std::vector<std::string> seen_;
  uint64_t asks_ = 0;
  OutboxPublisher publisher_;
};

TEST_F(OutboxPublisherTest, ALiveMemberGetsItAndNobodyElse) {
  route({kSelf, 1}, kGroup);
  publish(Qos::k1);
  EXPECT_THAT(seen(), ElementsAre("part 1 for worker 1"));
  answer(true);
  EXPECT_THAT(seen(), ElementsAre("published"));
}

TEST_F(OutboxPublisherTest, AtQos2ThePickIsRecordedFirst) {
  route({kSelf, 1}, kGroup);
  publish(Qos::k2);
  EXPECT_THAT(seen(), ElementsAre("picks"));
  publisher_.on_picked(kShard, kNumber);
  EXPECT_THAT(seen(), ElementsAre("part 1 for worker 1"));
}

TEST_F(OutboxPublisherTest, ADurableMemberThatCameSinceGetsIt) {
  route({kShards, 6}, kGroup);
  publish(Qos::k1);
  EXPECT_THAT(seen(), ElementsAre("shard 6"));
  publisher_.on_shard_has(1);
  EXPECT_THAT(seen(), ElementsAre("published"));
}

TEST_F(OutboxPublisherTest, APickThatMovedToAShardGoesThereAgainFromAnotherLeader) {
  route({kSelf, 1}, kGroup);
  publish(Qos::k2);
  publisher_.on_picked(kShard, kNumber);
  route({kSelf, 1}, kGroup, 0);
  route({kShards, 6}, kGroup);
  answer(false);
  EXPECT_THAT(seen(), ElementsAre("picks", "part 1 for worker 1", "picks"));
  publisher_.on_picked(kShard, kNumber);
  EXPECT_THAT(seen(), ElementsAre("shard 6"));

  publisher_.on_lead(kShard, 5);
  publish(Qos::k2, {{.group = kGroup, .worker = 6}});
  EXPECT_THAT(seen(), ElementsAre("shard 6"));
  publisher_.on_shard_has(1);  // what the leadership before had asked for
  EXPECT_THAT(seen(), ElementsAre());
  publisher_.on_shard_has(2);
  EXPECT_THAT(seen(), ElementsAre("published"));
}

TEST_F(OutboxPublisherTest, WhatAShardWasToldInAnEarlierLifeIsToldAgain) {
  route({kShards, 6}, kGroup);
  publish(Qos::k1);
  publisher_.on_own_life();
  EXPECT_THAT(seen(), ElementsAre("shard 6", "shard 6"));
  publisher_.on_shard_has(2);
  EXPECT_THAT(seen(), ElementsAre("published"));
}

TEST_F(OutboxPublisherTest, WhereNobodySharesItIsDropped) {
  publish(Qos::k1);
  EXPECT_THAT(seen(), ElementsAre("nobody of $share/g/t/#", "published"));
  // Or not any more.
  route({kSelf, 1}, kGroup);
  publish(Qos::k1);
  route({kSelf, 1}, kGroup, 0);
  EXPECT_THAT(seen(), ElementsAre("part 1 for worker 1"));
  answer(false);
  EXPECT_THAT(seen(), ElementsAre("nobody of $share/g/t/#", "published"));
}

}  // namespace
}  // namespace shoal
