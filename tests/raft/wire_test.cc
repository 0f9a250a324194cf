#include "cluster/raft/wire.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shoal/random.h"

namespace shoal::raft {
namespace {

Configuration three_voters() {
  return {{{{1}, Role::kVoter}, {{2}, Role::kVoter}, {{7}, Role::kLearner}, {{9}, Role::kVoter}}};
}

Payload text(const std::string& from) {
  return std::make_shared<const std::vector<uint8_t>>(from.begin(), from.end());
}

std::vector<Message> samples() {
  const GroupId group{5, 3};
  const auto with = [&](Body body) { return Message{group, {1}, {2}, 8, std::move(body)}; };
  const std::vector<Entry> entries = {{11, 6, EntryKind::kCommand, text("hello")},
                                      {12, 6, EntryKind::kCommand, nullptr},
                                      {13, 8, EntryKind::kBarrier, nullptr},
                                      {14, 8, EntryKind::kChange, encode(three_voters())}};
  return {with(RequestVote{12, 7, true, false}),
          with(RequestVote{0, 0, false, true}),
          with(VoteResult{true, false}),
          with(VoteResult{false, true}),
          with(AppendEntries{10, 5, 9, {}}),
          with(AppendEntries{10, 5, 900, entries}),
          with(AppendResult{0, 77}),
          with(AppendResult{12, 11}),
          with(TimeoutNow{12, 7}),
          with(InstallSnapshot{{40, 7, 12, three_voters()}})};
}

std::vector<uint8_t> bytes_of(const Message& message) {
  std::vector<uint8_t> bytes;
  encode(message, bytes);
  return bytes;
}

TEST(Wire, GivesBackWhatItWasGiven) {
  for (const Message& message : samples()) EXPECT_EQ(decode(bytes_of(message)), message);
}

TEST(Wire, RefusesEveryPartOfAMessage) {
  for (const Message& message : samples()) {
    const std::vector<uint8_t> bytes = bytes_of(message);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode(std::span(bytes).first(size))) << size;
    }
    std::vector<uint8_t> longer = bytes;
    longer.push_back(0);
    EXPECT_FALSE(decode(longer));
  }
}

TEST(Wire, SkipsFieldsOfALaterVersion) {
  for (const Message& message : samples()) {
    std::vector<uint8_t> bytes = bytes_of(message);
    bytes.back() = 3;
    bytes.insert(bytes.end(), {1, 2, 3});
    EXPECT_EQ(decode(bytes), message);
  }
}

TEST(Wire, RefusesAVersionOfItsOwn) {
  std::vector<uint8_t> bytes = bytes_of(samples()[0]);
  bytes[0] = kWireVersion + 1;
  EXPECT_FALSE(decode(bytes));
}

// Each is well formed as bytes, and breaks something that the engine takes for granted.
TEST(Wire, RefusesWhatNoServerSays) {
  const Message good = samples()[5];
  const AppendEntries entries = std::get<AppendEntries>(good.body);
  const auto refused = [&](Term term, Body body) {
    Message message = good;
    message.term = term;
    message.body = std::move(body);
    return !decode(bytes_of(message));
  };
  EXPECT_FALSE(refused(8, entries));
  EXPECT_TRUE(refused(0, entries));
  EXPECT_TRUE(refused(7, entries));  // holds entries of a later term
  const auto changed = [&](auto change) {
    AppendEntries body = entries;
    change(body);
    return body;
  };
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.prev_index = 0; })));
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.prev_term = 0; })));
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.prev_term = 7; })));
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.entries[0].term = 0; })));
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.entries[2].term = 5; })));
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.entries[3].payload = nullptr; })));
  EXPECT_TRUE(refused(8, changed([](AppendEntries& b) { b.entries[3].payload = text("no"); })));
  EXPECT_TRUE(refused(8, InstallSnapshot{{0, 0, 0, three_voters()}}));
  EXPECT_TRUE(refused(8, InstallSnapshot{{40, 9, 12, three_voters()}}));
  EXPECT_TRUE(refused(8, InstallSnapshot{{40, 7, 41, three_voters()}}));
  EXPECT_TRUE(refused(8, TimeoutNow{uint64_t{1} << 61, 7}));
  Message self = good;
  self.from = self.to;
  EXPECT_FALSE(decode(bytes_of(self)));
}

TEST(Wire, RefusesConfigurationsThatAreNone) {
  const Payload good = encode(three_voters());
  EXPECT_EQ(decode_configuration(*good), three_voters());
  std::vector<uint8_t> unordered = *good;
  std::swap(unordered[2], unordered[4]);
  EXPECT_FALSE(decode_configuration(unordered));
  std::vector<uint8_t> role = *good;
  role[3] = 3;
  EXPECT_FALSE(decode_configuration(role));
  std::vector<uint8_t> learners = {kWireVersion, 1, 5, 2, 0};
  EXPECT_FALSE(decode_configuration(learners));
  EXPECT_FALSE(decode_configuration({}));
}

TEST(Wire, KeepsWhatAStateSaysOfItself) {
  const SnapshotMeta meta{40, 7, 12, three_voters()};
  const std::vector<uint8_t> bytes = encode(meta);
  EXPECT_EQ(decode_snapshot(bytes), meta);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_snapshot(std::span(bytes).first(size))) << size;
  }
  EXPECT_FALSE(decode_snapshot(encode(SnapshotMeta{40, 0, 12, three_voters()})));
  EXPECT_FALSE(decode_snapshot(encode(SnapshotMeta{40, 7, 41, three_voters()})));
}

// One byte changed is refused, or is another message that encodes to the same bytes.
RC_GTEST_PROP(Wire, ADamagedMessageIsRefusedOrAnother, (uint64_t seed)) {
  Random random(seed);
  const std::vector<Message> all = samples();
  std::vector<uint8_t> bytes = bytes_of(all[random.below(all.size())]);
  bytes[random.below(bytes.size())] = static_cast<uint8_t>(random.next());
  const std::optional<Message> message = decode(bytes);
  if (!message) return;
  RC_ASSERT(decode(bytes_of(*message)) == message);
}

}  // namespace
}  // namespace shoal::raft
