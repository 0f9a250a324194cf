// A router of worker 0, and its answers as texts.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "node/rules/router.h"

namespace shoal {

constexpr Place kOtherWorker{kSelf, 1};
constexpr Place kPeer{1, 0};
constexpr Place kPeerWorker{1, 5};
constexpr Place kThird{2, 0};

// A target as text: "session:qos", then " rap", " nl", and " ids=1,2" in ascending order.
inline std::string text_of(const Match& match, const LocalTarget& target) {
  std::string text =
      std::to_string(target.session) + ":" + std::to_string(static_cast<int>(target.qos));
  if (target.retain_as_published) text += " rap";
  if (target.no_local) text += " nl";
  const auto span = match.identifiers(target);
  std::vector<uint32_t> ids(span.begin(), span.end());
  std::sort(ids.begin(), ids.end());
  for (size_t i = 0; i < ids.size(); ++i) text += (i == 0 ? " ids=" : ",") + std::to_string(ids[i]);
  return text;
}

inline std::vector<std::string> targets_of(const Match& match) {
  std::vector<std::string> out;
  for (const LocalTarget& target : match.targets()) out.push_back(text_of(match, target));
  return out;
}

inline std::string own_of(const Match& match, SessionIndex session) {
  const LocalTarget* const own = match.own_target(session);
  return own == nullptr ? "nothing" : text_of(match, *own);
}

inline std::map<NodeSlot, uint64_t> remotes_of(const Match& match) {
  std::map<NodeSlot, uint64_t> out;
  for (const RemoteTarget& remote : match.remotes()) {
    EXPECT_TRUE(out.emplace(remote.node, remote.worker_mask).second);
  }
  return out;
}

inline std::vector<std::string> groups_of(const Match& match) {
  std::vector<std::string> out;
  for (const SharedGroup* group : match.groups()) out.emplace_back(group->filter());
  return out;
}

struct RouterTest : testing::Test {
  Router router{Router::Options{.worker = 0, .seed = 42}};

  ~RouterTest() override { router.check_invariants(); }
  void route(Place place, std::string filter, RouteWeight weight = {1, 0}) {
    router.apply({place, {std::move(filter), weight}});
  }
  std::vector<std::string> changes() {
    std::vector<std::string> out;
    for (const RouteChange& change : router.take_route_changes()) {
      out.push_back(change.filter + " " + std::to_string(change.weight.online) + "+" +
                    std::to_string(change.weight.offline));
    }
    return out;
  }
};

}  // namespace shoal
