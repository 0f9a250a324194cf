#include "cluster/replica/outbox_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/shard/entry.h"
#include "cluster/shard/shard_state.h"

namespace shoal::replica {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What a target says of a message may come before it was sent: an earlier leadership had sent it.
TEST(OutboxSender, WhatWasAnsweredBeforeItWasSentIsNotSentAgain) {
  shard::MemoryKeyValues values;
  shard::ShardState state({}, values);
  shard::EntryBuilder entry(1'000'000);
  entry.add(shard::ConnectOp{.client_id = "c",
                             .user = "u",
                             .node = NodeId{1},
                             .incarnation = 1,
                             .receive_maximum = 3,
                             .expiry_s = shard::kNeverExpires});
  const shard::OpPlace epoch = (uint64_t{1} << shard::kPositionBits) + 1;
  entry.add(shard::ReceiveOp{.client_id = "c",
                             .epoch = epoch,
                             .packet_id = 1,
                             .message = {.topic = "t", .payload = "p", .qos = Qos::k2}});
  shard::Effects applied;
  ASSERT_EQ(state.apply(1, entry.finish(), applied), shard::Applied::kApplied);
  ASSERT_TRUE(state.is_in_outbox(1));

  OutboxSender sender(0, 4, 0);
  ServerEffects out;
  EXPECT_THAT(sender.pump(state, out).done, IsEmpty());
  sender.on_targets(1, 1 << 2);
  sender.on_published(1);
  sender.on_answer(2, 1, true);
  EXPECT_THAT(sender.pump(state, out).done, ElementsAre(1));
  sender.on_shard_leader(2);
  EXPECT_THAT(sender.pump(state, out).done, IsEmpty());
  EXPECT_THAT(out.to_shards, IsEmpty());
}

}  // namespace
}  // namespace shoal::replica
