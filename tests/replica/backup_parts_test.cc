// A replica's part in cuts for backups: what its outbox does while it is held, and what it keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "cluster/replica/shard_host.h"
#include "tests/replica/memory_disk.h"

namespace shoal::replica::test {
namespace {

using Ask = proto::BackupAsk;
using testing::IsEmpty;
using testing::SizeIs;

constexpr NodeId kCoordinator{9}, kNode{1};
constexpr uint64_t kCut = 77;
constexpr uint64_t kTerm = 2;

// A leader whose entries are committed when the test says so.
class BackupPartsTest : public testing::Test {
 protected:
  void SetUp() override {
    host_.on(Role{true, kTerm}, kNow);
    turn();
    commit();
    shard::ConnectOp connect{.client_id = "c",
                             .user = "u",
                             .node = kNode,
                             .incarnation = 1,
                             .receive_maximum = 2,
                             .expiry_s = 3600};
    apply(connect);
  }

  void turn() {
    HostEffects effects = host_.end_turn();
    for (std::string& each : effects.server.entries) entries_.push_back(std::move(each));
    for (const auto& each : effects.server.publishes) published_.push_back(each.number);
    for (BackupParts::Told& each : effects.backup_told) told_.push_back(std::move(each.message));
  }
  // What the leader made.
  void commit() {
    for (const std::string& each : std::exchange(entries_, {})) commit_entry(each, kTerm);
    turn();
  }
  void commit_entry(const std::string& bytes, uint64_t term) {
    raft::Entry entry{.index = ++index_, .term = term, .kind = raft::EntryKind::kCommand};
    entry.payload = std::make_shared<std::vector<uint8_t>>(bytes.begin(), bytes.end());
    host_.on(Committed{{entry}}, kNow);
  }
  // Of an earlier leader.
  template <class Op>
  void apply(const Op& op) {
    shard::EntryBuilder builder(1);
    builder.add(op);
    commit_entry(builder.finish(), kTerm - 1);
    turn();
  }
  // A QoS 2 PUBLISH: an item of the outbox.
  void receive(uint16_t packet_id) {
    apply(shard::ReceiveOp{.client_id = "c",
                           .epoch = host_.server().state().session("c")->epoch,
                           .packet_id = packet_id,
                           .message = {.topic = "t", .payload = "p", .qos = Qos::k2}});
  }
  // All that it is for have it.
  void answer(uint64_t number) {
    host_.on(Targets{number, 0}, kNow);
    host_.on(Published{number}, kNow);
    turn();
  }
  void ask(Ask::Step step, uint64_t number = 0, uint64_t term = kTerm) {
    told_.clear();
    proto::BackupAsk ask;
    ask.set_cut(kCut);
    ask.set_step(step);
    ask.set_term(term);
    ask.set_number(number);
    host_.on(BackupAsked{kCoordinator, ask}, kNow);
    turn();
  }
  bool is_done() const { return told_.size() == 1 && told_[0].refused().empty(); }
  bool is_refused() const { return told_.size() == 1 && !told_[0].refused().empty(); }
  uint32_t in_outbox() const { return host_.server().state().meta().outbox; }
  void tick(int times) {
    for (int i = 0; i < times; ++i) {
      host_.on_tick(kNow);
      turn();
    }
  }

  static constexpr Now kNow{Instant{}, 1};
  shard::MemoryKeyValues durable_;
  MemoryDisk disk_{durable_};
  ShardHost host_{{.shard = 0, .shards = 2}, disk_};
  raft::Index index_ = 0;
  std::vector<std::string> entries_;
  std::vector<uint64_t> published_;
  std::vector<proto::BackupTold> told_;
};

TEST_F(BackupPartsTest, WhatIsAnsweredStaysInTheOutboxUntilItIsReleased) {
  receive(1);
  ask(Ask::kHold);
  ASSERT_TRUE(is_done());
  answer(1);
  commit();
  EXPECT_EQ(in_outbox(), 1u);
  ask(Ask::kPin);
  EXPECT_TRUE(is_done());
  EXPECT_EQ(told_[0].index(), index_);
  ask(Ask::kRelease);
  EXPECT_THAT(told_, IsEmpty());  // not confirmed yet
  commit();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(in_outbox(), 0u);
}

TEST_F(BackupPartsTest, WhatIsNewWaitsUntilItIsReleased) {
  ask(Ask::kHold);
  receive(1);
  EXPECT_THAT(published_, IsEmpty());
  ask(Ask::kPin);
  ask(Ask::kRelease);
  EXPECT_THAT(published_, SizeIs(1));
}

TEST_F(BackupPartsTest, WhereASharedSubscriptionsMessageGoesIsToldWhenItIsReleased) {
  receive(1);
  ask(Ask::kHold);
  apply(shard::OutboxPickedOp{1, {{.group = "$share/g/t"}}});
  EXPECT_THAT(host_.end_turn().server.picked, IsEmpty());
  ask(Ask::kPin);
  told_.clear();
  proto::BackupAsk release;
  release.set_cut(kCut);
  release.set_step(Ask::kRelease);
  host_.on(BackupAsked{kCoordinator, release}, kNow);
  EXPECT_THAT(host_.end_turn().server.picked, SizeIs(1));
}

TEST_F(BackupPartsTest, OnlyTheLeaderThatIsMeantHolds) {
  ask(Ask::kHold, 0, kTerm - 1);
  EXPECT_TRUE(is_refused());
  ask(Ask::kPin);
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, AHoldEndsWithTheTerm) {
  ask(Ask::kHold);
  host_.on(Role{false, kTerm}, kNow);
  host_.on(Role{true, kTerm + 1}, kNow);
  turn();
  ask(Ask::kPin);
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, AHoldEndsByItself) {
  receive(1);
  ask(Ask::kHold);
  answer(1);
  tick(90);
  commit();
  EXPECT_EQ(in_outbox(), 1u);
  tick(20);
  commit();
  EXPECT_EQ(in_outbox(), 0u);
  ask(Ask::kPin);
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, AHoldThatEndedBeforeTheReleaseIsNoHold) {
  ask(Ask::kHold);
  ask(Ask::kPin);
  ASSERT_TRUE(is_done());
  tick(110);
  ask(Ask::kRelease);
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, WhoIsNotTheLeaderAnyMoreConfirmsNothing) {
  ask(Ask::kHold);
  ask(Ask::kPin);
  ask(Ask::kRelease);
  host_.on(Role{false, kTerm}, kNow);
  turn();
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, ANodeThatIsLostHoldsNothing) {
  receive(1);
  ask(Ask::kHold);
  answer(1);
  host_.on(PeerLost{kCoordinator}, kNow);
  turn();
  commit();
  EXPECT_EQ(in_outbox(), 0u);
}

TEST_F(BackupPartsTest, WhatIsPinnedStaysAsItWasWhoeverLeads) {
  receive(1);
  ask(Ask::kHold);
  ask(Ask::kPin);
  ask(Ask::kRelease);
  commit();
  receive(2);
  host_.on(Role{false, kTerm}, kNow);
  turn();
  shard::MemoryKeyValues values;
  bool done = false;
  for (uint64_t number = 1; !done; ++number) {
    ask(Ask::kPortion, number);
    ASSERT_TRUE(is_done());
    for (int i = 0; i < told_[0].keys_size(); ++i) {
      values.put(told_[0].keys(i), told_[0].values(i));
    }
    done = told_[0].done();
  }
  const shard::ShardState state({}, values);
  state.check_invariants();
  EXPECT_EQ(state.meta().last_outbox, 1u);
  EXPECT_TRUE(state.has_received("c", 1));
  EXPECT_FALSE(state.has_received("c", 2));
  ask(Ask::kPortion, 1);
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, WhatIsPinnedGoesWhenNobodyAsks) {
  ask(Ask::kHold);
  ask(Ask::kPin);
  ask(Ask::kRelease);
  commit();
  tick(590);
  ask(Ask::kKeep);
  EXPECT_THAT(told_, IsEmpty());
  tick(590);
  ask(Ask::kKeep);
  EXPECT_THAT(told_, IsEmpty());
  tick(610);
  ask(Ask::kKeep);
  EXPECT_TRUE(is_refused());
}

TEST_F(BackupPartsTest, WhatIsPinnedGoesWithTheState) {
  ask(Ask::kHold);
  ask(Ask::kPin);
  ask(Ask::kRelease);
  commit();
  host_.on(ForgetState{}, kNow);
  turn();
  ask(Ask::kPortion, 1);
  EXPECT_TRUE(is_refused());
}

}  // namespace
}  // namespace shoal::replica::test
