// A cut of all shards step by step, as the node sees it that takes it: the test is the leaders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "cluster/replica/backup_cut.h"

namespace shoal::replica::test {
namespace {

using Ask = proto::BackupAsk;
using State = BackupCut::State;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr NodeId kOwn{1}, kOther{2}, kThird{3};

class BackupCutTest : public testing::Test {
 protected:
  struct Asked {
    NodeId to;
    proto::BackupAsk ask;
  };

  // Of this step, since it was looked at last; others are forgotten.
  std::vector<Asked> take(Ask::Step step) {
    std::vector<Asked> found;
    for (Asked& each : std::exchange(asked_, {})) {
      if (each.ask.step() == step) found.push_back(std::move(each));
    }
    return found;
  }
  static proto::BackupTold answer_to(const Asked& asked) {
    proto::BackupTold told;
    told.set_shard(asked.ask.shard());
    told.set_cut(asked.ask.cut());
    told.set_step(asked.ask.step());
    return told;
  }
  void tell(const Asked& asked) { cut_.on_told(asked.to, answer_to(asked), now_); }
  void refuse(const Asked& asked) {
    proto::BackupTold told = answer_to(asked);
    told.set_refused("it has another leader now");
    cut_.on_told(asked.to, std::move(told), now_);
  }
  // All shards do what they are asked.
  void all_do(Ask::Step step) {
    const std::vector<Asked> asked = take(step);
    ASSERT_EQ(asked.size(), leaders_.size());
    for (const Asked& each : asked) {
      proto::BackupTold told = answer_to(each);
      if (step == Ask::kPin) {
        told.set_index(100 + each.ask.shard());
        told.set_index_term(7);
        told.set_bytes(10);
      }
      cut_.on_told(each.to, std::move(told), now_);
    }
  }
  void make() {
    cut_.begin(now_);
    all_do(Ask::kHold);
    all_do(Ask::kPin);
    all_do(Ask::kRelease);
    ASSERT_EQ(cut_.state(), State::kMade);
  }
  void pass(Duration time) {
    now_.mono = now_.mono + time;
    cut_.on_tick(now_);
  }
  void give(const Asked& asked, const std::string& key, bool done) {
    proto::BackupTold told = answer_to(asked);
    told.set_number(asked.ask.number());
    told.add_keys(key);
    told.add_values("v");
    told.set_done(done);
    cut_.on_told(asked.to, std::move(told), now_);
  }

  Now now_{Instant{} + Duration::seconds(1), 0};
  std::vector<BackupCut::Leader> leaders_{{kOwn, 3}, {kOther, 4}};
  std::vector<Asked> asked_;
  BackupCut cut_{2,
                 1,
                 {.leader = [this](uint32_t shard) { return leaders_[shard]; },
                  .ask =
                      [this](NodeId to, const Ask& ask) {
                        asked_.push_back({to, ask});
                      }}};
};

TEST_F(BackupCutTest, EachStepBeginsWhenAllHaveDoneTheOneBefore) {
  cut_.begin(now_);
  const std::vector<Asked> holds = take(Ask::kHold);
  ASSERT_EQ(holds.size(), 2u);
  EXPECT_EQ(holds[1].to, kOther);
  EXPECT_EQ(holds[1].ask.term(), 4u);
  tell(holds[0]);
  tell(holds[0]);  // twice is once
  EXPECT_THAT(take(Ask::kPin), IsEmpty());
  tell(holds[1]);
  const std::vector<Asked> pins = take(Ask::kPin);
  ASSERT_EQ(pins.size(), 2u);
  tell(pins[1]);
  EXPECT_THAT(take(Ask::kRelease), IsEmpty());
  tell(pins[0]);
  const std::vector<Asked> releases = take(Ask::kRelease);
  ASSERT_EQ(releases.size(), 2u);
  tell(releases[0]);
  EXPECT_EQ(cut_.state(), State::kTaking);
  tell(releases[1]);
  EXPECT_EQ(cut_.state(), State::kMade);
}

TEST_F(BackupCutTest, IsReadShardByShardAsItWasPinned) {
  make();
  EXPECT_EQ(cut_.bytes(), 20u);
  cut_.ask_next(now_);
  cut_.ask_next(now_);  // one is on its way
  std::vector<Asked> asked = take(Ask::kPortion);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_FALSE(cut_.take());
  give(asked[0], "a", false);
  std::optional<proto::BackupPortion> portion = cut_.take();
  ASSERT_TRUE(portion);
  EXPECT_EQ(portion->index(), 100u);
  EXPECT_EQ(portion->term(), 7u);
  EXPECT_EQ(portion->keys(0), "a");
  EXPECT_FALSE(portion->shard_done());
  cut_.ask_next(now_);
  asked = take(Ask::kPortion);
  EXPECT_EQ(asked.at(0).ask.number(), 2u);
  give(asked[0], "b", true);
  EXPECT_TRUE(cut_.take()->shard_done());
  EXPECT_EQ(take(Ask::kEnd).size(), 1u);  // nobody needs what that shard keeps
  cut_.ask_next(now_);
  asked = take(Ask::kPortion);
  EXPECT_EQ(asked.at(0).to, kOther);
  EXPECT_EQ(asked.at(0).ask.number(), 1u);
  give(asked[0], "c", true);
  EXPECT_EQ(cut_.take()->shard(), 1u);
  EXPECT_TRUE(cut_.is_all_given());
}

TEST_F(BackupCutTest, AnotherLeaderInTheHoldOrThePinBeginsAnew) {
  cut_.begin(now_);
  const std::vector<Asked> holds = take(Ask::kHold);
  refuse(holds[1]);
  EXPECT_EQ(take(Ask::kEnd).size(), 2u);
  leaders_[1] = {kThird, 5};
  pass(Duration::millis(250));
  const std::vector<Asked> again = take(Ask::kHold);
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[1].to, kThird);
  EXPECT_NE(again[0].ask.cut(), holds[0].ask.cut());
  tell(holds[0]);  // of the try before: void
  tell(again[1]);
  EXPECT_THAT(take(Ask::kPin), IsEmpty());
  tell(again[0]);
  refuse(take(Ask::kPin).at(0));
  pass(Duration::millis(250));
  all_do(Ask::kHold);
  all_do(Ask::kPin);
  all_do(Ask::kRelease);
  EXPECT_EQ(cut_.state(), State::kMade);
}

TEST_F(BackupCutTest, WhatNobodyConfirmsIsNotMade) {
  cut_.begin(now_);
  all_do(Ask::kHold);
  all_do(Ask::kPin);
  const std::vector<Asked> releases = take(Ask::kRelease);
  tell(releases[0]);
  refuse(releases[1]);
  EXPECT_EQ(cut_.state(), State::kTaking);
  pass(Duration::millis(250));
  EXPECT_EQ(take(Ask::kHold).size(), 2u);
}

TEST_F(BackupCutTest, AShardWithoutALeaderIsWaitedForAndThenNamed) {
  leaders_[1] = {};
  cut_.begin(now_);
  EXPECT_THAT(take(Ask::kHold), IsEmpty());
  for (int i = 0; i < 10; ++i) pass(Duration::seconds(1));
  EXPECT_EQ(cut_.state(), State::kTaking);
  for (int i = 0; i < 10; ++i) pass(Duration::seconds(1));
  EXPECT_EQ(cut_.state(), State::kLost);
  EXPECT_EQ(cut_.why(), "shard 1: it has no leader");
}

TEST_F(BackupCutTest, ALeaderThatDoesNotAnswerIsAskedAnewAndThenNamed) {
  cut_.begin(now_);
  tell(take(Ask::kHold).at(0));
  pass(Duration::seconds(4));
  pass(Duration::seconds(1));
  EXPECT_EQ(take(Ask::kHold).size(), 2u);
  for (int i = 0; i < 20; ++i) pass(Duration::seconds(1));
  EXPECT_EQ(cut_.state(), State::kLost);
  EXPECT_THAT(cut_.why(), HasSubstr("does not answer"));
}

TEST_F(BackupCutTest, ANodeThatGoesTakesItsPartWithIt) {
  make();
  cut_.on_peer_end(kThird, now_);
  EXPECT_EQ(cut_.state(), State::kMade);
  asked_.clear();
  cut_.on_peer_end(kOther, now_);
  EXPECT_EQ(cut_.state(), State::kLost);
  EXPECT_EQ(cut_.why(), "shard 1: its node is out of reach");
  EXPECT_EQ(cut_.node(), kOther);
  EXPECT_EQ(take(Ask::kEnd).size(), 2u);
}

TEST_F(BackupCutTest, ANodeThatGoesWhenItsPartIsReadIsNotMissed) {
  leaders_ = {{kOther, 4}, {kOwn, 3}};
  make();
  cut_.ask_next(now_);
  give(take(Ask::kPortion).at(0), "a", true);
  EXPECT_TRUE(cut_.take());
  cut_.on_peer_end(kOther, now_);
  EXPECT_EQ(cut_.state(), State::kMade);
}

TEST_F(BackupCutTest, ANodeThatGoesWhileItIsTakenBeginsItAnew) {
  cut_.begin(now_);
  take(Ask::kHold);
  cut_.on_peer_end(kOther, now_);
  EXPECT_EQ(cut_.state(), State::kTaking);
  pass(Duration::millis(250));
  EXPECT_EQ(take(Ask::kHold).size(), 2u);
}

TEST_F(BackupCutTest, WhatIsKeptIsAskedForAgainAndAgain) {
  make();
  pass(Duration::seconds(6));
  const std::vector<Asked> kept = take(Ask::kKeep);
  ASSERT_EQ(kept.size(), 2u);
  proto::BackupTold gone = answer_to(kept[1]);
  gone.set_refused("what was kept of it is gone");
  cut_.on_told(kept[1].to, std::move(gone), now_);
  EXPECT_EQ(cut_.state(), State::kLost);
  EXPECT_EQ(cut_.why(), "shard 1: what was kept of it is gone");
}

TEST_F(BackupCutTest, APortionThatDoesNotComeEndsIt) {
  make();
  cut_.ask_next(now_);
  pass(Duration::seconds(10));
  EXPECT_EQ(cut_.state(), State::kMade);
  pass(Duration::seconds(11));
  EXPECT_EQ(cut_.state(), State::kLost);
}

}  // namespace
}  // namespace shoal::replica::test
