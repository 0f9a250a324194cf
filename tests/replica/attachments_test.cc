// How a large message is given to its session's node.
#include "cluster/replica/attachments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/replica/arriving.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::replica {
namespace {

constexpr size_t kEachBytes = 4;

class LargeMessage : public testing::Test {
 protected:
  LargeMessage() : attachments_(1000) {
    epoch_ = shard_.connect("c");
    shard_.subscribe("c", "t", Qos::k1);
    const shard::Upload upload{.node = shard::kNodeA, .incarnation = 1, .number = 1};
    shard_.upload(upload, payload_, kEachBytes);
    const shard::PublishOp large{.message = {.topic = "t", .qos = Qos::k1, .upload = upload}};
    shard_.submit(large, {shard::kNodeA, 1, 0, 1});
    shard_.publish("t", "small");
    attach(0);
  }
  void attach(uint64_t next) {
    attachments_.attach("c",
                        {.node = shard::kNodeA, .incarnation = 1, .epoch = epoch_, .next = next});
  }
  proto::StoreReply pump() {
    proto::StoreReply reply;
    attachments_.pump(*shard_.state, 1'000'000, [&reply](NodeId, uint64_t) { return &reply; });
    return reply;
  }
  // Offsets of pieces, and the payloads of messages.
  static std::vector<std::string> said(const proto::StoreReply& reply) {
    std::vector<std::string> out;
    for (const proto::StoreMessages& each : reply.messages()) {
      for (const proto::StoreMessage& message : each.messages()) {
        out.push_back(message.payload_bytes() != 0 ? "head" : message.payload());
      }
      for (const proto::StorePiece& piece : each.pieces()) {
        out.push_back(std::to_string(piece.offset()));
      }
    }
    return out;
  }
  void read(uint64_t message, uint64_t bytes) {
    proto::StorePiecesRead read;
    read.set_client_id("c");
    read.set_epoch(epoch_);
    read.set_message(message);
    read.set_bytes(bytes);
    attachments_.on_read(read);
  }

  const std::string payload_ = "0123456789abcdefghijkl";
  shard::OpPlace epoch_ = 0;
  shard::TestShard shard_;
  Attachments attachments_;
};

TEST_F(LargeMessage, GoesInPiecesAndTheNextBehindThem) {
  const proto::StoreReply first = pump();
  EXPECT_EQ(said(first), std::vector<std::string>({"head", "0", "4", "8", "12"}));
  const uint64_t number = first.messages(0).messages(0).number();
  attachments_.note("c");
  EXPECT_EQ(said(pump()), std::vector<std::string>());
  read(number + 1, 8);
  EXPECT_EQ(said(pump()), std::vector<std::string>());
  read(number, 8);
  EXPECT_EQ(said(pump()), std::vector<std::string>({"16", "20", "small"}));
}

TEST_F(LargeMessage, BeginsAnewWithAnotherConnection) {
  pump();
  attach(0);
  EXPECT_EQ(said(pump()), std::vector<std::string>({"head", "0", "4", "8", "12"}));
}

TEST_F(LargeMessage, IsJoinedWhereItArrives) {
  const proto::StoreReply reply = pump();
  Arriving arriving(reply.messages(0).messages(0), {});
  for (const proto::StorePiece& each : reply.messages(1).pieces()) EXPECT_TRUE(arriving.add(each));
  EXPECT_FALSE(arriving.add(reply.messages(1).pieces(0)));
  EXPECT_FALSE(arriving.is_whole());
  read(reply.messages(0).messages(0).number(), arriving.bytes());
  const proto::StoreReply rest = pump();
  for (const proto::StorePiece& each : rest.messages(0).pieces()) EXPECT_TRUE(arriving.add(each));
  ASSERT_TRUE(arriving.is_whole());
  const auto payload = arriving.message()->payload();
  EXPECT_EQ(std::string(payload.begin(), payload.end()), payload_);
}

}  // namespace
}  // namespace shoal::replica
