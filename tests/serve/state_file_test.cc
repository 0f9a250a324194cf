#include "node/serve/state_file.h"

#include <gtest/gtest.h>

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
