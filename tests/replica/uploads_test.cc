#include "cluster/replica/uploads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/shard/entry.h"

namespace shoal::replica {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr size_t kEach = 4;
constexpr uint64_t kSomeone = 1;
constexpr uint64_t kAnother = 2;

MessageRef message_of(size_t bytes, uint64_t publisher) {
  const std::vector<uint8_t> payload(bytes, 'x');
  MessageView view;
  view.topic = "t";
  view.payload = payload;
  view.publisher = publisher;
  return Message::create(view);
}

class UploadsTest : public testing::Test {
 protected:
  void add(uint64_t number, size_t bytes, uint64_t publisher = kSomeone) {
    uploads_.add({ShardPublish{.number = number, .message = message_of(bytes, publisher)}}, kEach);
  }
  bool takes(size_t bytes, uint64_t publisher) const {
    return uploads_.takes(*message_of(bytes, publisher), kEach);
  }
  // Upload and offset of all pieces that may go.
  std::vector<std::pair<uint64_t, uint64_t>> pieces() {
    std::vector<std::pair<uint64_t, uint64_t>> out;
    while (const auto bytes = uploads_.next_piece({.node = NodeId{1}, .incarnation = 2}, kEach)) {
      shard::EntryBuilder builder(1);
      builder.add_encoded(*bytes, 1);
      const std::string entry = builder.finish();
      shard::Entry read;
      EXPECT_EQ(shard::read_entry(entry, read), shard::Entry::Outcome::kRead);
      const auto& op = std::get<shard::PieceOp>(read.ops.at(0).op);
      EXPECT_EQ(op.upload.node, NodeId{1});
      EXPECT_EQ(op.upload.incarnation, 2u);
      out.emplace_back(op.upload.number, op.offset);
    }
    return out;
  }
  std::vector<uint64_t> ready() {
    std::vector<uint64_t> numbers;
    while (const auto ready = uploads_.take_ready()) {
      numbers.push_back(std::get<ShardPublish>(ready->ask.mail).number);
    }
    return numbers;
  }
  Uploads uploads_;
};

TEST_F(UploadsTest, FourPiecesAreOnTheirWay) {
  add(1, 22);
  EXPECT_THAT(pieces(),
              ElementsAre(std::pair(1, 0), std::pair(1, 4), std::pair(1, 8), std::pair(1, 12)));
  uploads_.on_uploaded(1, 8, false);
  EXPECT_THAT(pieces(), ElementsAre(std::pair(1, 16), std::pair(1, 20)));
  EXPECT_THAT(ready(), IsEmpty());
  uploads_.on_uploaded(1, 22, false);
  EXPECT_THAT(ready(), ElementsAre(1));
}

TEST_F(UploadsTest, ASmallOneFillsUpWhatALargeOneLeaves) {
  add(1, 9);
  add(2, 9, kAnother);
  EXPECT_THAT(pieces(), ElementsAre(std::pair(1, 0), std::pair(1, 4), std::pair(1, 8),
                                    std::pair(2, 0), std::pair(2, 4)));
}

TEST_F(UploadsTest, ThePublishersLaterMessagesWaitAndNobodyElses) {  // P5
  EXPECT_FALSE(takes(4, kSomeone));
  EXPECT_TRUE(takes(5, kSomeone));
  add(1, 5);
  EXPECT_TRUE(takes(1, kSomeone));
  EXPECT_FALSE(takes(1, kAnother));
  add(2, 1);
  EXPECT_THAT(pieces(), ElementsAre(std::pair(1, 0), std::pair(1, 4)));
  uploads_.on_uploaded(1, 4, false);
  EXPECT_THAT(ready(), IsEmpty());
  uploads_.on_uploaded(1, 5, false);
  EXPECT_THAT(ready(), ElementsAre(1, 2));
  EXPECT_FALSE(takes(1, kSomeone));
}

TEST_F(UploadsTest, ANewLeaderGetsWhatIsNotAnswered) {
  add(1, 12);
  pieces();
  uploads_.on_uploaded(1, 4, false);
  EXPECT_THAT(pieces(), IsEmpty());
  uploads_.on_leader();
  EXPECT_THAT(pieces(), ElementsAre(std::pair(1, 4), std::pair(1, 8)));
  uploads_.on_uploaded(1, 12, false);
  uploads_.on_leader();
  EXPECT_THAT(pieces(), IsEmpty());
}

TEST_F(UploadsTest, WhatGotLostGoesAgainWithTheNextTick) {
  add(1, 12);
  pieces();
  uploads_.on_uploaded(1, 4, true);
  EXPECT_THAT(pieces(), IsEmpty());
  uploads_.on_tick();
  EXPECT_THAT(pieces(), ElementsAre(std::pair(1, 4), std::pair(1, 8)));
  uploads_.on_uploaded(7, 4, true);   // of none that is here
  uploads_.on_uploaded(1, 99, true);  // more than there is
  uploads_.on_tick();
  EXPECT_THAT(pieces(), IsEmpty());
}

}  // namespace
}  // namespace shoal::replica
