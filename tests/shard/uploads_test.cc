// Payloads that come in pieces before the op that takes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kPayload = "0123456789";
constexpr uint64_t kEach = 4;

Upload upload_of(uint64_t number, uint64_t incarnation = 1) {
  return {.node = kNodeA, .incarnation = incarnation, .from = 0, .number = number};
}

PieceOp piece(const Upload& upload, uint64_t offset) {
  return {upload, offset, kPayload.size(), kPayload.substr(offset, kEach)};
}

class UploadsTest : public testing::Test, protected TestShard {
 protected:
  // How much of it is here then, and whether it has to go on there.
  using Said = std::pair<uint64_t, bool>;
  Said give(const PieceOp& op) {
    const Effects effects = apply(op);
    restart();
    return {effects.uploaded.at(0).bytes, effects.uploaded.at(0).is_gap};
  }
  void give_all(const Upload& upload) { TestShard::upload(upload, kPayload, kEach); }
  Effects::Outcome publish_uploaded(const Upload& upload, uint64_t number) {
    PublishOp op{.message = message("t", "")};
    op.message.upload = upload;
    const Effects effects =
        submit(op, {.node = kNodeA, .incarnation = 1, .worker = 0, .number = number});
    restart();
    return effects.done.at(0).outcome;
  }
  std::string payload_of(const Delivery& delivery) const {
    std::string out = delivery.message.payload;
    if (!delivery.message.pieces) return out;
    const Pieces& pieces = *delivery.message.pieces;
    for (uint64_t at = 0; at < pieces.bytes; at += pieces.each) {
      out += state->piece(delivery.body, at);
    }
    return out;
  }
  bool is_empty() const {
    return state->meta().bodies == 0 && state->meta().bodies_bytes == 0 &&
           state->meta().uploads == 0;
  }
};

TEST_F(UploadsTest, AMessageIsWholeOnceItsOpIsApplied) {
  connect("c");
  subscribe("c", "t");
  give_all(upload_of(1));
  EXPECT_EQ(state->meta().uploads, 1u);
  EXPECT_THAT(deliveries("c"), IsEmpty());
  EXPECT_EQ(publish_uploaded(upload_of(1), 1), Effects::Outcome::kApplied);
  ASSERT_EQ(deliveries("c").size(), 1u);
  const Delivery delivery = deliveries("c")[0];
  EXPECT_EQ(payload_of(delivery), kPayload);
  EXPECT_EQ(delivery.message.size(), kPayload.size() + 1);
  EXPECT_EQ(state->meta().uploads, 0u);
  ack("c", delivery.number);
  EXPECT_TRUE(is_empty());
}

TEST_F(UploadsTest, TheLastWhoNeedsItTakesThePiecesAlong) {
  for (const char* id : {"c", "d"}) {
    connect(id);
    subscribe(id, "t");
  }
  give_all(upload_of(1));
  publish_uploaded(upload_of(1), 1);
  ack("c", deliveries("c")[0].number);
  const Delivery left = deliveries("d").at(0);
  EXPECT_EQ(payload_of(left), kPayload);
  ack("d", left.number);
  EXPECT_TRUE(is_empty());
}

TEST_F(UploadsTest, WhatNobodyWantsLeavesNothing) {
  give_all(upload_of(1));
  EXPECT_EQ(publish_uploaded(upload_of(1), 1), Effects::Outcome::kApplied);
  EXPECT_TRUE(is_empty());
}

TEST_F(UploadsTest, PiecesComeInOrderAndOnce) {
  const Upload upload = upload_of(1);
  EXPECT_EQ(give(piece(upload, 4)), Said(0, true));
  EXPECT_EQ(give(piece(upload, 0)), Said(4, false));
  EXPECT_EQ(give(piece(upload, 0)), Said(4, false));
  EXPECT_EQ(give(piece(upload, 8)), Said(4, true));
  PieceOp shorter = piece(upload, 4);
  shorter.bytes.remove_suffix(1);
  EXPECT_EQ(give(shorter), Said(4, true));
  PieceOp of_another = piece(upload, 4);
  of_another.total += 1;
  EXPECT_EQ(give(of_another), Said(4, true));
  EXPECT_EQ(give(piece(upload, 4)), Said(8, false));
  EXPECT_EQ(give(piece(upload, 8)), Said(10, false));
  EXPECT_EQ(give(piece(upload, 8)), Said(10, false));
  EXPECT_EQ(state->meta().bodies_bytes, kPayload.size());
  EXPECT_EQ(skips(SkipReason::kRepeat), 2u);
  EXPECT_EQ(skips(SkipReason::kGap), 4u);
}

TEST_F(UploadsTest, APieceThatCannotBeOneIsMalformed) {
  PieceOp empty = piece(upload_of(1), 0);
  empty.bytes = {};
  PieceOp too_long = piece(upload_of(1), 0);
  too_long.total = 3;
  PieceOp too_much = piece(upload_of(1), 0);
  too_much.total = (uint64_t{1} << 30) + 1;
  apply(empty, too_long, too_much);
  EXPECT_EQ(skips(SkipReason::kMalformed), 3u);
  EXPECT_TRUE(is_empty());
}

TEST_F(UploadsTest, AnOpWhosePiecesAreMissingIsAGap) {
  connect("c");
  subscribe("c", "t");
  EXPECT_EQ(publish_uploaded(upload_of(1), 1), Effects::Outcome::kGap);
  apply(piece(upload_of(1), 0), piece(upload_of(1), 4));
  EXPECT_EQ(publish_uploaded(upload_of(1), 1), Effects::Outcome::kGap);
  EXPECT_EQ(state->source_mark(kNodeA, 0, 1), 0u);
  apply(piece(upload_of(1), 8));
  EXPECT_EQ(publish_uploaded(upload_of(1), 1), Effects::Outcome::kApplied);
  EXPECT_EQ(payload_of(deliveries("c").at(0)), kPayload);
}

TEST_F(UploadsTest, AnOpThatIsNotAppliedLeavesNoPieces) {
  connect("c");
  subscribe("c", "t");
  give_all(upload_of(1));
  publish_uploaded(upload_of(1), 1);
  give_all(upload_of(1));
  EXPECT_EQ(publish_uploaded(upload_of(1), 1), Effects::Outcome::kRepeat);
  EXPECT_EQ(state->meta().uploads, 0u);
  ack("c", deliveries("c").at(0).number);
  give_all(upload_of(2));
  ReceiveOp stale{.client_id = "c", .epoch = 1, .packet_id = 3, .message = message("t", "")};
  stale.message.upload = upload_of(2);
  const Effects effects =
      submit(stale, {.node = kNodeA, .incarnation = 1, .worker = 0, .number = 2});
  EXPECT_EQ(effects.done.at(0).outcome, Effects::Outcome::kStaleEpoch);
  EXPECT_TRUE(is_empty());
}

TEST_F(UploadsTest, WithoutASourceThereIsNoUpload) {
  give_all(upload_of(1));
  PublishOp publish{.message = message("t", "")};
  publish.message.upload = upload_of(1);
  apply(publish);
  EXPECT_EQ(skips(SkipReason::kMalformed), 1u);
  EXPECT_EQ(state->meta().uploads, 1u);
}

TEST_F(UploadsTest, WhatAnIncarnationLeftGoesWithIt) {
  for (const uint64_t incarnation : {1, 2, 3}) give_all(upload_of(7, incarnation));
  EXPECT_TRUE(state->has_uploads(kNodeA, 2));
  EXPECT_FALSE(state->has_uploads(kNodeA, 1));
  EXPECT_FALSE(state->has_uploads(kNodeB, 9));
  apply(DropUploadsOp{kNodeA, 3});
  EXPECT_FALSE(state->has_uploads(kNodeA, 3));
  EXPECT_EQ(state->meta().uploads, 1u);
  apply(ForgetNodeOp{kNodeA});
  EXPECT_TRUE(is_empty());
}

TEST_F(UploadsTest, QoS2IsInTheOutboxAndGoesOnInPieces) {
  connect("c");
  give_all(upload_of(1));
  ReceiveOp receive{
      .client_id = "c", .epoch = epoch("c"), .packet_id = 3, .message = message("t", "", Qos::k2)};
  receive.message.upload = upload_of(1);
  submit(receive, {.node = kNodeA, .incarnation = 1, .worker = 0, .number = 1});
  const OutboxMessage item = state->outbox(0, {}).at(0);
  TestShard target;
  target.connect("s");
  target.subscribe("s", "t");
  const OutboxInOp op = forwarded(item, 5);
  EXPECT_EQ(target.apply(op).outbox_answers, std::vector({Effects::OutboxAnswer{5, 1, false}}));
  for (uint64_t at = 0; at < kPayload.size(); at += kEach) {
    const std::string bytes = state->piece(item.record.body, at);
    const PieceOp next{*op.item.message->upload, at, kPayload.size(), bytes};
    EXPECT_EQ(target.apply(next).outbox_answers,
              std::vector({Effects::OutboxAnswer{5, 1, true, at + bytes.size()}}));
  }
  EXPECT_EQ(target.apply(op).outbox_answers, std::vector({Effects::OutboxAnswer{5, 1, true}}));
  EXPECT_EQ(target.deliveries("s").at(0).message.pieces->bytes, kPayload.size());
  // Another leader, who does not know of that, begins anew.
  const PieceOp again{*op.item.message->upload, 0, kPayload.size(), kPayload.substr(0, kEach)};
  EXPECT_EQ(target.apply(again).outbox_answers, std::vector({Effects::OutboxAnswer{5, 1, true}}));
  EXPECT_EQ(target.state->meta().uploads, 0u);
}

TEST_F(UploadsTest, AShardThatGoesOnWithALaterItemHasGivenUpTheEarlier) {
  const auto of_item = [](uint32_t shard, uint64_t number) {
    return Upload{.from = shard, .number = number};
  };
  apply(piece(of_item(5, 3), 0), piece(of_item(5, 9), 0), piece(of_item(6, 3), 0));
  OutboxInOp later{.source_shard = 5, .number = 4};
  later.item.message = message("t", "x");
  apply(later);
  EXPECT_EQ(state->meta().uploads, 2u);
}

}  // namespace
}  // namespace shoal::shard
