#include "cluster/replica/outbox_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/shard/shard_fixture.h"

namespace shoal::replica {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A QoS 2 PUBLISH of a client that is connected then.
void receive(shard::TestShard& shard, const shard::MessageSpec& message, uint16_t packet_id) {
  if (!shard.state->session("c")) shard.connect("c");
  const shard::ReceiveOp op{
      .client_id = "c", .epoch = shard.epoch("c"), .packet_id = packet_id, .message = message};
  shard.submit(op, {shard::kNodeA, 1, 0, packet_id});
}

// What a target says of a message may come before it was sent: an earlier leadership had sent it.
TEST(OutboxSender, WhatWasAnsweredBeforeItWasSentIsNotSentAgain) {
  shard::TestShard source;
  receive(source, {.topic = "t", .payload = "p", .qos = Qos::k2}, 1);
  const shard::ShardState& state = *source.state;
  ASSERT_TRUE(state.is_in_outbox(1));

  OutboxSender sender(0, 4, 0);
  ServerEffects out;
  EXPECT_THAT(sender.pump(state, out).done, IsEmpty());
  sender.on_targets(1, 1 << 2);
  sender.on_published(1);
  sender.on_answer(2, {1, true});
  EXPECT_THAT(sender.pump(state, out).done, ElementsAre(1));
  sender.on_shard_leader(2);
  EXPECT_THAT(sender.pump(state, out).done, IsEmpty());
  EXPECT_THAT(out.to_shards, IsEmpty());
}

// ---- a large payload

class LargeItem : public testing::Test {
 protected:
  static constexpr size_t kEach = 4;

  LargeItem() : sender_(0, 4, 0) {
    const shard::Upload upload{.node = shard::kNodeA, .incarnation = 1, .number = 1};
    shard_.upload(upload, payload_, kEach);
    receive(shard_, {.topic = "t", .qos = Qos::k2, .upload = upload}, 1);
    receive(shard_, {.topic = "t", .payload = "p", .qos = Qos::k2}, 2);
    pump();
    for (const uint64_t number : {1, 2}) {
      sender_.on_targets(number, 1 << kTarget);
      sender_.on_published(number);
    }
  }

  // What goes to the target: a piece as its offset, an item as its number and 1000.
  std::vector<uint64_t> pump() {
    ServerEffects out;
    done_ = sender_.pump(*shard_.state, out).done;
    for (const ServerEffects::Publish& each : out.publishes) published_.push_back(each.payload);
    std::vector<uint64_t> sent;
    for (const ServerEffects::ToShard& each : out.to_shards) {
      shard::EntryBuilder builder(1);
      builder.add_encoded(each.ops, 1);
      const std::string bytes = builder.finish();
      shard::Entry entry;
      EXPECT_EQ(shard::read_entry(bytes, entry), shard::Entry::Outcome::kRead);
      const shard::Op& op = entry.ops.at(0).op;
      const auto* const piece = std::get_if<shard::PieceOp>(&op);
      sent.push_back(piece ? piece->offset : 1000 + std::get<shard::OutboxInOp>(op).number);
    }
    return sent;
  }
  void received(uint64_t bytes, bool accepted = true) {
    sender_.on_answer(kTarget, {1, accepted, bytes});
  }

  static constexpr uint32_t kTarget = 2;
  const std::string payload_ = "0123456789abcdefghijkl";
  shard::TestShard shard_;
  OutboxSender sender_;
  std::vector<uint64_t> done_;
  std::vector<SharedBytes> published_;
};

TEST_F(LargeItem, GoesInPiecesAndWhatIsBehindItWaits) {
  EXPECT_THAT(pump(), ElementsAre(0, 4, 8, 12));
  EXPECT_THAT(pump(), IsEmpty());
  received(4);
  received(8);
  EXPECT_THAT(pump(), ElementsAre(16, 20));
  received(22);
  EXPECT_THAT(pump(), ElementsAre(1001, 1002));
  sender_.on_answer(kTarget, {1, true});
  sender_.on_answer(kTarget, {2, true});
  pump();
  EXPECT_THAT(done_, ElementsAre(1, 2));
}

TEST_F(LargeItem, IsJoinedForLiveSessions) {
  ASSERT_EQ(published_.size(), 2u);
  ASSERT_TRUE(published_[0]);
  EXPECT_FALSE(published_[1]);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(published_[0].get()), payload_.size()),
            payload_);
}

TEST_F(LargeItem, ANewLeaderOfTheTargetGetsWhatIsNotAnswered) {
  pump();
  received(8);
  pump();
  sender_.on_shard_leader(kTarget);
  EXPECT_THAT(pump(), ElementsAre(8, 12, 16, 20));
  received(12, false);
  EXPECT_THAT(pump(), ElementsAre(12, 16, 20));
  received(22);
  EXPECT_THAT(pump(), ElementsAre(1001, 1002));
  // Its pieces are asked for again, in case: the target says that it has the item.
  sender_.on_shard_leader(kTarget);
  EXPECT_THAT(pump(), ElementsAre(0, 4, 8, 12));
  sender_.on_answer(kTarget, {1, true});
  EXPECT_THAT(pump(), ElementsAre(1002));
}

TEST_F(LargeItem, WhatNobodyAnswersGoesAgain) {
  pump();
  for (int i = 0; i < 20; ++i) sender_.on_tick();
  EXPECT_THAT(pump(), ElementsAre(0, 4, 8, 12));
}

}  // namespace
}  // namespace shoal::replica
