#include "node/serve/state_file.h"

#include <gtest/gtest.h>

#include "shoal/protocol.h"

namespace shoal {
namespace {

StoredState sample() {
  StoredState state;
  state.id = {0x5f0c1234};
  state.incarnation = 7;
  state.cluster = {UINT64_MAX, 42};
  state.members.push_back({{0x5f0c1234}, "node one", "10.0.0.1:7883", {7, 2}, {}, false});
  state.members.push_back(
      {{UINT64_MAX}, "sum 0%\n\x7f", "[::1]:7883", {9, 0}, {8, UINT32_MAX}, true});
  state.members.push_back({{1}, "", "", {}, {}, false});
  state.store = {8, 3, {{1}, {0x5f0c1234}, {UINT64_MAX}}, 0x77d0};
  state.has_store = true;
  return state;
}

TEST(StateFile, ComesBackAsItWas) {
  for (const StoredState& state : {sample(), StoredState()}) {
    EXPECT_EQ(state_of_text(state_text_of(state)), state);
  }
}

// As the first version wrote it: while the cluster is at its level a node may go back to it.
TEST(StateFile, IsThatOfTheFirstVersionAtItsLevel) {
  StoredState state = sample();
  state.members[0].speaks = 2;
  state.store.seed = 0;
  EXPECT_EQ(state_text_of(state),
            "shoal-state 1\n"
            "node 000000005f0c1234 incarnation 7\n"
            "cluster ffffffffffffffff 000000000000002a\n"
            "member 000000005f0c1234 =node%20one =10.0.0.1:7883 life 7 2 given-up 0 0 left 0\n"
            "member ffffffffffffffff =sum%200%25%0a%7f =[::1]:7883 life 9 0 given-up 8 4294967295 "
            "left 1\n"
            "member 0000000000000001 = = life 0 0 given-up 0 0 left 0\n"
            "store 1 shards 8 replicas 3 founders 3 0000000000000001 000000005f0c1234 "
            "ffffffffffffffff\n"
            "sum fc3ecdf47a7de121\n");
  const std::string text = state_text_of(state);
  state.members[0].speaks = 0;
  EXPECT_EQ(state_of_text(text), state);
}

TEST(StateFile, HasTheLevelAndWhatMembersSpeak) {
  StoredState state = sample();
  state.level = 2;
  state.members[0].speaks = 2;
  state.members[1].speaks = 7;
  const std::string text = state_text_of(state);
  EXPECT_EQ(state_of_text(text), state);
  EXPECT_EQ(level_of_text(text), 2u);
  EXPECT_EQ(level_of_text(text.substr(1)), std::nullopt);
}

TEST(StateFile, OfALaterLevelTellsThatAlone) {
  StoredState state = sample();
  state.level = kProtocolMax + 1;
  EXPECT_EQ(level_of_text(state_text_of(state)), kProtocolMax + 1);
  EXPECT_EQ(state_of_text(state_text_of(state)), std::nullopt);
}

// As all clusters had it that were not restored from a backup.
TEST(StateFile, WithoutASeedItIsTheClusterIds) {
  StoredState state = sample();
  state.store.seed = 0;
  EXPECT_EQ(state_text_of(state).find("seed"), std::string::npos);
  EXPECT_EQ(state_of_text(state_text_of(state)), state);
}

TEST(StateFile, ACutFileIsDamaged) {
  const std::string text = state_text_of(sample());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(state_of_text(text.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(state_of_text(text + "\n"), std::nullopt);
}

TEST(StateFile, AnyChangedByteIsDamage) {
  const std::string text = state_text_of(sample());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_EQ(state_of_text(changed), std::nullopt) << i;
  }
}

}  // namespace
}  // namespace shoal
