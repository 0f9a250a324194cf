// Retained messages: on every node before they are acknowledged, and alike everywhere again after a
// partition or a restart.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cluster/hub_fixture.h"

namespace shoal {
namespace {

class RetainedTest : public testing::Test {
 protected:
  void make(ClusterOptions options) {
    cluster_ = std::make_unique<HubCluster>(options);
    ASSERT_TRUE(cluster_->run_until([&] { return cluster_->all_ready(); }, 3000));
  }
  uint64_t write(int node, const std::string& topic, const std::string& payload) {
    MessageView view;
    view.retain = true;
    view.topic = topic;
    view.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
    cluster_->send(node, 0, RetainWrite{++last_, Message::create(view)});
    return last_;
  }
  bool is_done(int node, uint64_t number) {
    const auto done = cluster_->mails<RetainDone>(node);
    return std::any_of(done.begin(), done.end(),
                       [number](const RetainDone& one) { return one.number == number; });
  }
  // "topic=payload" of all that a filter finds.
  std::vector<std::string> read(int node, const std::string& filter) {
    std::vector<std::string> found;
    std::string after;
    while (true) {
      const uint64_t query = ++last_;
      cluster_->send(node, 0, RetainedQuery{query, filter, after});
      cluster_->run_until([&] { return portion(node, query).has_value(); }, 3000);
      const auto answer = portion(node, query);
      if (!answer) return {"no answer"};
      for (const MessageRef& message : answer->messages) {
        const auto payload = message->payload();
        after = std::string(message->topic());
        found.push_back(after + "=" + std::string(payload.begin(), payload.end()));
      }
      if (answer->done) return found;
    }
  }
  std::optional<RetainedPortion> portion(int node, uint64_t query) {
    for (const RetainedPortion& one : cluster_->mails<RetainedPortion>(node)) {
      if (one.query == query) return one;
    }
    return std::nullopt;
  }
  bool are_equal() {
    for (int i = 1; i < cluster_->size(); ++i) {
      if (cluster_->node(i).hub->retained_digest() != cluster_->node(0).hub->retained_digest()) {
        return false;
      }
    }
    return true;
  }
  bool settles(int64_t ms) {
    return cluster_->run_until([&] { return cluster_->all_ready() && are_equal(); }, ms);
  }

  std::unique_ptr<HubCluster> cluster_;
  uint64_t last_ = 0;
};

using Lines = std::vector<std::string>;

TEST_F(RetainedTest, AWriteIsDoneWhenEveryNodeHasIt) {
  make({.nodes = 3});
  const uint64_t number = write(0, "a/b", "1");
  ASSERT_TRUE(cluster_->run_until([&] { return is_done(0, number); }, 100));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(i, "a/+"), (Lines{"a/b=1"}));
  const uint64_t removed = write(1, "a/b", "");
  ASSERT_TRUE(cluster_->run_until([&] { return is_done(1, removed); }, 100));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(i, "#"), Lines{});
}

TEST_F(RetainedTest, ANodeAloneNeedsNobody) {
  make({.nodes = 1});
  const uint64_t number = write(0, "a", "1");
  cluster_->run(1);
  EXPECT_TRUE(is_done(0, number));
  EXPECT_EQ(read(0, "#"), (Lines{"a=1"}));
}

TEST_F(RetainedTest, AWriteInAMinorityIsNotDone) {
  make({.nodes = 3});
  cluster_->cut_both(0, 1);
  cluster_->cut_both(0, 2);
  const uint64_t minority = write(0, "a", "minority");
  cluster_->run(5000);
  EXPECT_FALSE(is_done(0, minority));
  const uint64_t majority = write(1, "a", "majority");
  cluster_->run(100);
  EXPECT_TRUE(is_done(1, majority));
  cluster_->heal();
  ASSERT_TRUE(settles(5000));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(i, "a"), (Lines{"a=majority"})) << "the later wins";
}

TEST_F(RetainedTest, ARestartedNodeCopiesEverything) {
  make({.nodes = 3});
  for (int i = 0; i < 3000; ++i) write(i % 3, "t/" + std::to_string(i), std::string(i % 700, 'x'));
  write(0, "large", std::string(2 * 1024 * 1024, 'y'));
  cluster_->run(3000);
  write(1, "t/5", "");
  cluster_->run(100);
  cluster_->crash(2);
  cluster_->run(2000);
  write(0, "t/6", "");
  cluster_->start(2);
  ASSERT_TRUE(settles(6000)) << cluster_->status(2).reason;
  EXPECT_EQ(cluster_->status(2).retained, cluster_->status(0).retained);
  EXPECT_EQ(read(2, "t/6"), Lines{});
  EXPECT_EQ(read(2, "large")[0].size(), 2u * 1024 * 1024 + 6);
  const Lines found = read(2, "#");
  EXPECT_EQ(found.size(), cluster_->status(2).retained);
}

TEST_F(RetainedTest, WhatWasRemovedDoesNotComeBack) {
  make({.nodes = 3});
  write(0, "a", "1");
  cluster_->run(100);
  cluster_->cut_both(2, 0);
  cluster_->cut_both(2, 1);
  cluster_->run(4000);
  write(0, "a", "");
  cluster_->run(100);
  cluster_->heal();
  ASSERT_TRUE(settles(5000));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(i, "#"), Lines{});
}

TEST_F(RetainedTest, AWriteThatItsNodeTookAlongToOneOnlyReachesTheOther) {
  make({.nodes = 3});
  cluster_->cut_both(0, 2);
  write(0, "a", "1");
  cluster_->run(20);
  EXPECT_EQ(read(1, "a"), (Lines{"a=1"}));
  EXPECT_EQ(read(2, "a"), Lines{});
  cluster_->crash(0);
  EXPECT_TRUE(cluster_->run_until(
      [&] {
        return cluster_->node(1).hub->retained_digest() == cluster_->node(2).hub->retained_digest();
      },
      6000));
  EXPECT_EQ(read(2, "a"), (Lines{"a=1"}));
}

TEST_F(RetainedTest, AWriteAboveTheLimitIsCountedAndDropped) {
  Limits limits;
  limits.retained_bytes_max = 3000;
  make({.nodes = 1, .limits = limits});
  for (int i = 0; i < 10; ++i) write(0, "t/" + std::to_string(i), std::string(1000, 'x'));
  cluster_->run(1);
  EXPECT_TRUE(is_done(0, last_));
  EXPECT_EQ(cluster_->status(0).retained + cluster_->status(0).retained_dropped, 10u);
  EXPECT_LE(cluster_->status(0).retained_bytes, 3000u);
  // What takes the place of another needs room for its growth only.
  const uint64_t dropped = cluster_->status(0).retained_dropped;
  write(0, "t/0", std::string(1000, 'y'));
  cluster_->run(1);
  EXPECT_EQ(cluster_->status(0).retained_dropped, dropped);
  EXPECT_EQ(read(0, "t/0").at(0).back(), 'y');
}

}  // namespace
}  // namespace shoal
