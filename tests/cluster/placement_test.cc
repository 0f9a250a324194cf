#include "cluster/core/placement.h"

#include <gtest/gtest.h>

#include <map>

namespace shoal {
namespace {

using How = raft::ChangeMember::How;
using raft::Role;

struct PlacementRow {
  std::vector<raft::Server> servers;
  std::vector<uint64_t> members;
  std::vector<uint64_t> here;
  uint32_t replicas = 3;
  uint64_t missing = 0;
};

std::string next(const PlacementRow& row) {
  raft::Configuration servers{row.servers};
  PlacementView view{
      .shard = 1, .replicas = row.replicas, .servers = &servers, .missing = [&row](NodeId) {
        return row.missing;
      }};
  for (const uint64_t id : row.members) view.members.push_back(NodeId{id});
  for (const uint64_t id : row.here) view.here.push_back(NodeId{id});
  const auto change = next_change(view);
  if (!change) return "none";
  const char* const how = change->how == How::kAddLearner ? "add "
                          : change->how == How::kPromote  ? "promote "
                                                          : "remove ";
  return how + std::to_string(change->server.value);
}

std::vector<raft::Server> voters(std::initializer_list<uint64_t> ids) {
  std::vector<raft::Server> servers;
  for (const uint64_t id : ids) servers.push_back({NodeId{id}, Role::kVoter});
  return servers;
}

std::vector<raft::Server> with_learner(std::vector<raft::Server> servers, uint64_t id) {
  servers.push_back({NodeId{id}, Role::kLearner});
  return servers;
}

TEST(Placement, AllIsAsItShouldBe) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3}, {1, 2, 3}}), "none");
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 3, 4}}), "none");
  // One that is away and a member still is waited for.
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 4}}), "none");
}

TEST(Placement, OneThatLeftIsReplaced) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2}, {1, 2}}), "none");  // by whom?
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 4}, {1, 2}}), "none");
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 4}, {1, 2, 4}}), "add 4");
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 4}, {1, 2, 4}, 3, 5000}), "none");
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 4}, {1, 2, 4}, 3, 10}), "promote 4");
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 4}, {1, 2}, 3, 10}), "none");
  EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 4}, {1, 2, 4}}), "remove 3");
  EXPECT_EQ(next({voters({1, 2, 4}), {1, 2, 4}, {1, 2, 4}}), "none");
}

TEST(Placement, ALearnerThatLeftGoes) {
  EXPECT_EQ(next({with_learner(voters({1, 2, 3}), 4), {1, 2, 3}, {1, 2, 3}}), "remove 4");
}

TEST(Placement, MoreAreWanted) {
  EXPECT_EQ(next({voters({1, 2, 3}), {1, 2, 3, 4}, {1, 2, 3, 4}, 5}), "none");  // four bear no more
  const std::string first = next({voters({1, 2, 3}), {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, 5});
  EXPECT_TRUE(first == "add 4" || first == "add 5") << first;
  EXPECT_EQ(next({voters({1, 2, 3, 4}), {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, 5}), "add 5");
}

TEST(Placement, FewerThanThreeVotersStay) {
  EXPECT_EQ(next({voters({1}), {1, 2, 3}, {1, 2, 3}}), "none");
}

TEST(Placement, ShardsSpread) {
  std::map<uint64_t, int> picked;
  raft::Configuration servers{voters({1, 2, 3})};
  for (uint32_t shard = 0; shard < 60; ++shard) {
    PlacementView view{.shard = shard,
                       .replicas = 3,
                       .servers = &servers,
                       .members = {NodeId{1}, NodeId{2}, NodeId{4}, NodeId{5}, NodeId{6}},
                       .here = {NodeId{1}, NodeId{2}, NodeId{4}, NodeId{5}, NodeId{6}},
                       .missing = [](NodeId) { return 0; }};
    ++picked[next_change(view)->server.value];
  }
  for (const uint64_t id : {4, 5, 6}) EXPECT_GT(picked[id], 10) << id;
}

}  // namespace
}  // namespace shoal
