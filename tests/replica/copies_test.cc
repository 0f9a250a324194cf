// Copies of states that do not come to their end: whatever ends one, its leader begins another.
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "cluster/raft/wire.h"
#include "cluster/replica/store.h"
#include "tests/replica/memory_disk.h"

namespace shoal::replica::test {
namespace {

constexpr NodeId kSelf{1}, kVoter{2}, kBehind{3};
constexpr raft::GroupId kGroupId{0, 1};
constexpr raft::Index kStateIndex = 5;

raft::SnapshotMeta state_meta() { return {kStateIndex, 1, 1, {{{kSelf}, {kVoter}, {kBehind}}}}; }

struct NoLog : raft::LogReader {
  void read(raft::GroupId, raft::Index, raft::Index, size_t, std::vector<raft::Entry>&) override {}
};

// Node 1, whose disks write at once, with one shard; the test is its peers and its ShardHost.
class CopiesTest : public testing::Test {
 protected:
  void SetUp() override {
    store_.on_peer(kVoter, 1, now_);
    store_.on_peer(kBehind, 1, now_);
    turn();
  }

  void start_with_state() {
    store_.add(kGroupId, {{1, {}}, state_meta(), kStateIndex + 1, {}}, now_);
    turn();
  }
  // By the vote of one; the other has an empty log, and says so.
  void lead() {
    start_with_state();
    for (int ticks = 0; ticks < 200 && !copy_wanted(); ++ticks) tick();
    ASSERT_TRUE(copy_wanted());
  }
  void tick() {
    now_.mono = now_.mono + Duration::millis(20);
    store_.on_tick(now_);
    turn();
  }

  void turn() {
    StoreEffects effects = std::move(store_.end_turn());
    store_.end_turn().clear();
    for (const raft::Effects::Persist& each : effects.raft.persists) {
      store_.on_persisted(each.group, each.number, now_);
    }
    cuts_ += effects.raft.cuts.size();
    for (StoreEffects::ToShard& each : effects.servers) mails_.push_back(std::move(each.mail));
    for (StoreEffects::Frame& each : effects.frames) {
      if (each.kind == StoreFrame::kRaft) {
        answer(*raft::decode(bytes_of_frame(each)));
      } else {
        frames_.push_back(std::move(each));
      }
    }
    if (!effects.raft.persists.empty()) turn();
  }

  void answer(const raft::Message& message) {
    raft::Message reply{kGroupId, message.to, kSelf, message.term, raft::TimeoutNow{}};
    if (const auto* const vote = std::get_if<raft::RequestVote>(&message.body)) {
      if (message.to != kVoter) return;
      reply.body = raft::VoteResult{true, vote->pre_vote};
    } else if (const auto* const append = std::get_if<raft::AppendEntries>(&message.body)) {
      reply.body = message.to == kVoter || is_there_
                       ? raft::AppendResult{0, append->prev_index + append->entries.size()}
                       : raft::AppendResult{append->prev_index, 0};
    } else if (const auto* const install = std::get_if<raft::InstallSnapshot>(&message.body)) {
      is_there_ = true;
      reply.body = raft::AppendResult{0, install->meta.index};
    } else {
      return;
    }
    raft_frame(std::move(reply));
  }
  void raft_frame(const raft::Message& message) {
    std::vector<uint8_t> bytes;
    raft::encode(message, bytes);
    ASSERT_TRUE(store_.on_frame(message.from, StoreFrame::kRaft, bytes, now_));
  }
  static std::span<const uint8_t> bytes_of_frame(const StoreEffects::Frame& frame) {
    return {reinterpret_cast<const uint8_t*>(frame.bytes.data()), frame.bytes.size()};
  }
  template <class Message>
  void frame(NodeId from, StoreFrame kind, const Message& message) {
    const StoreEffects::Frame frame{kSelf, kind, message.SerializeAsString()};
    ASSERT_TRUE(store_.on_frame(from, kind, bytes_of_frame(frame), now_));
    turn();
  }

  // The last that the shard was asked for since it was forgotten.
  std::optional<CopyWanted> copy_wanted() const { return last<CopyWanted>(); }
  template <class Mail>
  std::optional<Mail> last() const {
    std::optional<Mail> found;
    for (const ToServer& each : mails_) {
      if (const auto* const mail = std::get_if<Mail>(&each)) found = *mail;
    }
    return found;
  }
  size_t sent(StoreFrame kind) const {
    size_t count = 0;
    for (const StoreEffects::Frame& each : frames_) count += each.kind == kind ? 1 : 0;
    return count;
  }

  // What the shard says when it begins the copy.
  void begin(const CopyWanted& wanted) {
    HostEffects effects;
    effects.begun.push_back({wanted.to, wanted.stream, kStateIndex});
    effects.portions.push_back({wanted.to, portion(wanted.stream, 1, false)});
    store_.on_host(0, std::move(effects), now_);
    turn();
  }
  static proto::CopyPortion portion(uint64_t stream, uint64_t number, bool done) {
    proto::CopyPortion portion;
    portion.set_stream(stream);
    portion.set_number(number);
    portion.set_index(kStateIndex);
    portion.set_done(done);
    return portion;
  }
  // All that is committed is applied, and durable in the state.
  void flush() {
    const raft::Index commit = store_.groups().find(0)->commit();
    HostEffects effects;
    effects.server.applied = commit;
    store_.on_host(0, std::move(effects), now_);
    store_.on_flushed(0, commit, now_);
    turn();
  }
  void expect_another_copy() {
    mails_.clear();
    for (int ticks = 0; ticks < 20 && !copy_wanted(); ++ticks) tick();
    EXPECT_TRUE(copy_wanted());
  }

  NoLog log_;
  Now now_{Instant{} + Duration::seconds(1), 1'700'000'000'000};
  Store store_{{.self = kSelf, .incarnation = 1, .seed = 1},
               {.tell_workers = [](std::vector<PlacedRoute>) { return 0; },
                .applied = [] { return 0; },
                .waited_for = [] { return std::vector<NodeId>(); }},
               log_};
  bool is_there_ = false;  // who was behind has a copy
  size_t cuts_ = 0;
  std::vector<ToServer> mails_;
  std::vector<StoreEffects::Frame> frames_;
};

// What is cut behind a copy's index while it is on its way would have to be copied again, for ever where
// the log grows faster than a copy goes.
TEST_F(CopiesTest, TheLogIsNotCutBeforeACopyIsThereAndHasCaughtUp) {
  lead();
  const CopyWanted wanted = *copy_wanted();
  begin(wanted);
  flush();
  tick();
  EXPECT_EQ(cuts_, 0u);
  HostEffects done;
  done.done.push_back({wanted.to, wanted.stream});
  store_.on_host(0, std::move(done), now_);
  turn();
  for (int ticks = 0; ticks < 20 && cuts_ == 0; ++ticks) tick();
  EXPECT_TRUE(is_there_);
  EXPECT_EQ(cuts_, 1u);
}

TEST_F(CopiesTest, TheLogIsCutWhenACopyIsGivenUp) {
  lead();
  begin(*copy_wanted());
  flush();
  store_.on_peer_end(kBehind, now_);
  turn();
  for (int ticks = 0; ticks < 59 * 50; ++ticks) tick();
  EXPECT_EQ(cuts_, 0u);
  for (int ticks = 0; ticks < 2 * 50; ++ticks) tick();
  EXPECT_EQ(cuts_, 1u);
}

TEST_F(CopiesTest, OneThatRunsIsNotBegunAgain) {
  lead();
  begin(*copy_wanted());
  EXPECT_EQ(sent(StoreFrame::kCopyPortion), 1u);
  mails_.clear();
  for (int ticks = 0; ticks < 20; ++ticks) tick();
  EXPECT_FALSE(copy_wanted());
}

TEST_F(CopiesTest, OneThatIsRefusedIsBegunAgain) {
  lead();
  const CopyWanted wanted = *copy_wanted();
  begin(wanted);
  proto::CopyAck ack;
  ack.set_stream(wanted.stream);
  ack.set_number(1);
  ack.set_refused(true);
  frame(kBehind, StoreFrame::kCopyAck, ack);
  ASSERT_TRUE(last<CopyAcked>());
  EXPECT_TRUE(last<CopyAcked>()->refused);
  expect_another_copy();
}

// The shard was told of the lost session, and sends nothing after the portion that it had begun with.
TEST_F(CopiesTest, OneWhoseSessionEndsBeforeItHasBegunIsBegunAgain) {
  lead();
  const CopyWanted wanted = *copy_wanted();
  store_.on_peer_end(kBehind, now_);
  store_.on_peer(kBehind, 1, now_);
  turn();
  begin(wanted);
  EXPECT_EQ(sent(StoreFrame::kCopyPortion), 0u);
  expect_another_copy();
}

TEST_F(CopiesTest, OneThatComesDuringAnInstallationIsRefused) {
  raft_frame({kGroupId, kVoter, kSelf, 2, raft::AppendEntries{kStateIndex, 1, kStateIndex, {}}});
  turn();
  frame(kVoter, StoreFrame::kCopyPortion, portion(1, 1, true));
  HostEffects effects;
  effects.staged = {kVoter, 1, kStateIndex};
  store_.on_host(0, std::move(effects), now_);
  raft_frame({kGroupId, kVoter, kSelf, 2, raft::InstallSnapshot{state_meta()}});
  turn();
  ASSERT_TRUE(last<InstallCopy>());
  mails_.clear();
  frames_.clear();
  frame(kVoter, StoreFrame::kCopyPortion, portion(2, 1, false));
  EXPECT_FALSE(last<CopyCame>());
  ASSERT_EQ(sent(StoreFrame::kCopyAck), 1u);
  proto::CopyAck ack;
  ASSERT_TRUE(ack.ParseFromString(frames_.back().bytes));
  EXPECT_EQ(ack.stream(), 2u);
  EXPECT_TRUE(ack.refused());
}

// By an earlier leader, for one, which does not know yet that it leads no more.
TEST(ShardHostCopies, OneWhosePlaceAnotherTookIsRefused) {
  shard::MemoryKeyValues values;
  MemoryDisk disk(values);
  ShardHost host({.shard = 0}, disk);
  const auto is_refused = [&](NodeId from, uint64_t number) {
    proto::CopyPortion portion;
    portion.set_stream(1);
    portion.set_number(number);
    portion.set_index(kStateIndex);
    host.on(CopyCame{from, std::move(portion)}, {});
    const HostEffects effects = host.end_turn();
    EXPECT_EQ(effects.acks.size(), 1u);
    EXPECT_EQ(effects.acks.at(0).to, from);
    EXPECT_EQ(effects.acks.at(0).message.number(), number);
    return effects.acks.at(0).message.refused();
  };
  EXPECT_FALSE(is_refused(kVoter, 1));
  EXPECT_FALSE(is_refused(kVoter, 2));
  EXPECT_FALSE(is_refused(kBehind, 1));
  EXPECT_TRUE(is_refused(kVoter, 3));
  EXPECT_FALSE(is_refused(kBehind, 2));
}

}  // namespace
}  // namespace shoal::replica::test
