// What leaders of a shard send from its outbox, at the node that gives it to its workers.
#include "cluster/core/outbox_receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal {
namespace {

using testing::ElementsAre;

constexpr uint32_t kOutbox = 3;
constexpr NodeSlot kFirst = 1;  // leaders, the second after the first
constexpr NodeSlot kSecond = 2;
constexpr std::string_view kOfGroup = "$share/g/t";

HubConfig one_worker() {
  HubConfig config;
  config.workers = 1;
  return config;
}

class OutboxReceiverTest : public testing::Test {
 protected:
  OutboxReceiverTest()
      : context_(one_worker(), StoredState{.id = NodeId{1}}, 1),
        receiver_(context_, [this](NodeSlot to, const OutboxReceiver::Answer& answer) {
          answers_.push_back({to, answer.placed});
        }) {}

  // For a member of the group if `part` is not 0, otherwise for whoever is subscribed.
  void parcel(NodeSlot from, uint64_t term, uint64_t number, uint64_t least, uint32_t part = 1) {
    MessageView message{.qos = Qos::k2, .topic = "t"};
    message.expires_at = Instant::never();
    const SharedPick pick{0, kOfGroup};
    const std::span<const SharedPick> picks(&pick, part == 0 ? 0 : 1);
    ForwardBatchWriter writer(static_cast<WorkerIndex>(kOutbox));
    writer.append(message, part == 0 ? 1 : 0, picks, context_.now.mono);
    std::vector<ForwardBatchRef> batches;
    writer.finish(batches);
    receiver_.on_parcel(from, {.shard = kOutbox,
                               .part = part,
                               .number = number,
                               .term = term,
                               .least = least,
                               .batch = std::const_pointer_cast<ForwardBatch>(batches.at(0))});
  }
  // How many the worker was given since the last time; it answers each.
  int given(Acceptance acceptance = Acceptance::kAccepted) {
    const auto mails = std::exchange(context_.effects.mails, {});
    for (size_t i = 0; i < mails.size(); ++i) {
      ++number_;
      receiver_.on_accept(0, {Place{kShards, kOutbox}, {{number_, number_, acceptance}}});
    }
    return static_cast<int>(mails.size());
  }

  Context context_;
  OutboxReceiver receiver_;
  std::vector<std::pair<NodeSlot, bool>> answers_;
  uint64_t number_ = 0;
};

TEST_F(OutboxReceiverTest, AnotherLeaderSendsAgainWhatIsGivenOnce) {
  for (const uint32_t part : {0u, 1u}) {
    const uint64_t term = 5 + part;
    parcel(kFirst, term, 9, 9, part);
    EXPECT_EQ(given(), 1);
    parcel(kSecond, term + 1, 9, 9, part);
    EXPECT_EQ(given(), 0);
    EXPECT_THAT(std::exchange(answers_, {}),
                ElementsAre(std::pair{kFirst, true}, std::pair{kSecond, true}));
  }
}

// Its successor sent it too, and is done with it: that it was given is forgotten.
TEST_F(OutboxReceiverTest, WhatAnEarlierLeaderSentComesTooLate) {
  parcel(kSecond, 6, 9, 9);
  parcel(kSecond, 6, 10, 10);
  EXPECT_EQ(given(), 2);
  parcel(kFirst, 5, 9, 9);
  EXPECT_EQ(given(), 0);
}

// A leader that was frozen sends again what it has open before it knows of its successor, which is the one
// that waits for the answer.
TEST_F(OutboxReceiverTest, TheLastLeaderIsAnsweredWhoeverSentLast) {
  for (const uint32_t part : {0u, 1u}) {
    const uint64_t term = 5 + 2 * part;
    parcel(kFirst, term, 9, 9, part);
    parcel(kSecond, term + 1, 9, 9, part);
    parcel(kFirst, term, 9, 9, part);
    EXPECT_EQ(given(), 1);
    EXPECT_THAT(std::exchange(answers_, {}), ElementsAre(std::pair{kSecond, true}));
  }
}

// Its successor has given it to a member elsewhere, since there was none here.
TEST_F(OutboxReceiverTest, WhatAnEarlierLeaderPickedIsPickedAnew) {
  parcel(kSecond, 6, 9, 9);
  EXPECT_EQ(given(Acceptance::kNotPlaced), 1);
  EXPECT_THAT(answers_, ElementsAre(std::pair{kSecond, false}));
  parcel(kFirst, 5, 9, 9);
  EXPECT_EQ(given(), 0);
  // There is one now.
  parcel(kSecond, 6, 9, 9);
  EXPECT_EQ(given(), 1);
}

}  // namespace
}  // namespace shoal
