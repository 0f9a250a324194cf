// What a claim's answer says of the store: who gives it what it says is not of these tests.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/claims.h"

namespace shoal {
namespace {

HubConfig two_workers() {
  HubConfig config;
  config.workers = 2;
  return config;
}

class ClaimsStoredTest : public testing::Test {
 protected:
  ClaimsStoredTest()
      : context_(two_workers(), StoredState{.id = NodeId{1}}, 1),
        claims_(context_, {.open_pairs = [] { return std::vector<Pair*>(); },
                           .asked = [this] { return asked_; },
                           .reachable = [](NodeId) -> Pair* { return nullptr; },
                           .is_nothing_stored =
                               [this](const std::string& client_id) {
                                 looked_up_.push_back(client_id);
                                 return !is_stored_;
                               }}) {}

  void claim(WorkerIndex worker, bool is_volatile) {
    claims_.on_request(
        worker, {.conn = {++conns_, 1}, .client_id = "c", .user = {}, .is_volatile = is_volatile},
        std::nullopt);
  }
  // The answers since the last time, by connection.
  std::map<uint32_t, ClaimAnswer> answers() {
    std::map<uint32_t, ClaimAnswer> found;
    for (const auto& each : std::exchange(context_.effects.mails, {})) {
      if (const auto* const one = std::get_if<ClaimAnswer>(&each.mail))
        found[one->conn.slot] = *one;
    }
    return found;
  }
  bool says_so(bool is_volatile) {
    claim(0, is_volatile);
    const ClaimAnswer answer = answers().at(conns_);
    EXPECT_EQ(answer.outcome, ClaimAnswer::Outcome::kGranted);
    return answer.is_nothing_stored;
  }

  Context context_;
  std::set<NodeId> asked_;
  Claims claims_;
  bool is_stored_ = false;
  std::vector<std::string> looked_up_;
  uint32_t conns_ = 0;
};

TEST_F(ClaimsStoredTest, WhoNeedsNothingStoredIsToldThatNothingIs) {
  EXPECT_TRUE(says_so(true));
  EXPECT_FALSE(says_so(false));
  is_stored_ = true;
  EXPECT_FALSE(says_so(true));
  EXPECT_EQ(looked_up_, (std::vector<std::string>{"c", "c"}));
}

// What was so when it asked may be otherwise: the connection before was stored meanwhile.
TEST_F(ClaimsStoredTest, ItIsLookedUpWhenTheClaimIsGranted) {
  asked_ = {NodeId{2}};
  claim(0, true);
  claims_.check_waits();
  EXPECT_TRUE(answers().empty());
  EXPECT_TRUE(looked_up_.empty());
  is_stored_ = true;
  asked_.clear();
  claims_.check_waits();
  EXPECT_FALSE(answers().at(1).is_nothing_stored);
}

TEST_F(ClaimsStoredTest, ItIsLookedUpWhenTheHolderIsGone) {
  claim(0, true);
  const Stamp held = answers().at(1).stamp;
  claim(1, true);
  looked_up_.clear();
  EXPECT_TRUE(answers().empty());
  is_stored_ = true;
  claims_.on_evict_done(0, {"c", held});
  EXPECT_EQ(looked_up_.size(), 1u);
  EXPECT_FALSE(answers().at(2).is_nothing_stored);
}

// The last one is withdrawn: the one before it asked as what it is.
TEST_F(ClaimsStoredTest, EachIsAnsweredAsItAsked) {
  asked_ = {NodeId{2}};
  claim(0, false);
  claim(1, true);
  claims_.on_withdraw(1, {{2, 1}, "c"});
  asked_.clear();
  claims_.check_waits();
  const ClaimAnswer first = answers().at(1);
  EXPECT_FALSE(first.is_nothing_stored);
  claims_.on_release(0, {"c", first.stamp});
  asked_ = {NodeId{2}};
  claim(0, true);
  claim(1, false);
  claims_.on_withdraw(1, {{4, 1}, "c"});
  asked_.clear();
  claims_.check_waits();
  EXPECT_TRUE(answers().at(3).is_nothing_stored);
}

}  // namespace
}  // namespace shoal
