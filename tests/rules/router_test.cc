#include "node/rules/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Place kOtherWorker{kSelf, 1};
constexpr Place kPeer{1, 0};
constexpr Place kPeerWorker{1, 5};
constexpr Place kThird{2, 0};

// A target as text: "session:qos", then " rap", " nl", and " ids=1,2" in ascending order.
std::string text_of(const Match& match, const LocalTarget& target) {
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

std::vector<std::string> targets_of(const Match& match) {
  std::vector<std::string> out;
  for (const LocalTarget& target : match.targets()) out.push_back(text_of(match, target));
  return out;
}

std::string own_of(const Match& match, SessionIndex session) {
  const LocalTarget* const own = match.own_target(session);
  return own == nullptr ? "nothing" : text_of(match, *own);
}

std::map<NodeSlot, uint64_t> remotes_of(const Match& match) {
  std::map<NodeSlot, uint64_t> out;
  for (const RemoteTarget& remote : match.remotes()) {
    EXPECT_TRUE(out.emplace(remote.node, remote.worker_mask).second);
  }
  return out;
}

std::vector<std::string> groups_of(const Match& match) {
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

// ---- one worker's sessions ----------------------------------------------------------------------

TEST_F(RouterTest, OverlappingSubscriptionsMakeOneTarget) {
  struct Case {
    const char* what;
    std::vector<std::pair<const char*, SubscriptionOptions>> subscriptions;  // of session 7
    const char* target;
    const char* own;  // what it gets of its own
  };
  const Case cases[] = {
      {"alone", {{"a/b", {.qos = Qos::k1}}}, "7:1", "nothing"},
      {"the highest QoS [MQTT5-3.3.4-2]",
       {{"a/b", {.qos = Qos::k0}}, {"a/+", {.qos = Qos::k2}}, {"#", {.qos = Qos::k1}}},
       "7:2",
       "nothing"},
      {"all identifiers [MQTT5-3.3.4-3] [MQTT5-3.3.4-4]",
       {{"a/b", {.identifier = 9}}, {"a/#", {}}, {"+/b", {.identifier = 268'435'455}}},
       "7:0 ids=9,268435455",
       "nothing"},
      {"the same identifier twice",
       {{"a/b", {.identifier = 3}}, {"a/+", {.identifier = 3}}},
       "7:0 ids=3,3",
       "nothing"},
      {"one asks for Retain As Published",
       {{"a/b", {.qos = Qos::k2}}, {"a/+", {.retain_as_published = true}}},
       "7:2 rap",
       "nothing"},
      {"No Local [MQTT5-3.8.3-3]",
       {{"a/b", {.qos = Qos::k1, .no_local = true, .identifier = 4}}},
       "7:1 nl ids=4",
       "nothing"},
      {"No Local on some: the others hold for its own messages",
       {{"a/b", {.qos = Qos::k2, .no_local = true, .retain_as_published = true, .identifier = 1}},
        {"a/+", {.qos = Qos::k0, .identifier = 2}},
        {"a/#", {.qos = Qos::k1, .identifier = 3}}},
       "7:2 rap nl ids=1,2,3",
       "7:1 ids=2,3"},
      {"No Local on all",
       {{"a/b", {.no_local = true}}, {"+/+", {.qos = Qos::k1, .no_local = true}}},
       "7:1 nl",
       "nothing"},
  };
  for (const Case& c : cases) {
    for (const auto& [filter, options] : c.subscriptions) router.subscribe(7, filter, options);
    const Match& match = router.match("a/b");
    EXPECT_THAT(targets_of(match), ElementsAre(c.target)) << c.what;
    EXPECT_EQ(own_of(match, 7), c.own) << c.what;
    EXPECT_EQ(match.topic(), "a/b");
    EXPECT_FALSE(match.empty());
    router.drop_session(7);
    EXPECT_TRUE(router.match("a/b").empty()) << c.what;
  }
}

TEST_F(RouterTest, SessionsAreKeptApart) {
  router.subscribe(1, "a/#", {.qos = Qos::k1, .no_local = true, .identifier = 10});
  router.subscribe(2, "a/#", {.identifier = 20});
  router.subscribe(2, "a/b", {.qos = Qos::k2, .no_local = true, .identifier = 21});
  router.subscribe(3, "a/+", {.qos = Qos::k1});
  router.subscribe(4, "a/c", {});
  const Match& match = router.match("a/b");
  EXPECT_THAT(targets_of(match), UnorderedElementsAre("1:1 nl ids=10", "2:2 nl ids=20,21", "3:1"));
  EXPECT_EQ(own_of(match, 1), "nothing");
  EXPECT_EQ(own_of(match, 2), "2:0 ids=20");
}

TEST_F(RouterTest, TheSameFilterAgainReplacesTheOptions) {  // [MQTT5-3.8.4-3] [MQTT311-3.8.4-3]
  for (const char* filter : {"a/b", "a/+"}) {
    EXPECT_FALSE(router.subscribe(1, filter, {.qos = Qos::k2, .identifier = 5}).existed);
    EXPECT_THAT(targets_of(router.match("a/b")), ElementsAre("1:2 ids=5"));
    EXPECT_TRUE(router.subscribe(1, filter, {.qos = Qos::k1}).existed);
    EXPECT_THAT(targets_of(router.match("a/b")), ElementsAre("1:1"));
    EXPECT_EQ(router.subscription_count(1), 1u);
    EXPECT_TRUE(router.unsubscribe(1, filter));
    EXPECT_FALSE(router.unsubscribe(1, filter));
    EXPECT_FALSE(router.unsubscribe(2, filter));
  }
}

TEST_F(RouterTest, ListsASessionsSubscriptions) {
  const SubscriptionOptions options{Qos::k2, true, true, 268'435'455};
  router.subscribe(1, "a/+", options);
  router.subscribe(1, "$share/g/x", {.qos = Qos::k1});
  router.subscribe(2, "b", {});
  std::map<std::string, SubscriptionOptions> seen;
  router.for_each_subscription(1, [&seen](std::string_view filter, const SubscriptionOptions& of) {
    seen.emplace(filter, of);
  });
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen["a/+"], options);
  EXPECT_EQ(seen["$share/g/x"], SubscriptionOptions{.qos = Qos::k1});
  EXPECT_EQ(router.subscription_count(1), 2u);
  EXPECT_EQ(router.subscription_count(99), 0u);
  router.for_each_subscription(99, [](std::string_view, const SubscriptionOptions&) { FAIL(); });
}

TEST_F(RouterTest, TheLastMatchMayBeReadWhileThingsChange) {
  router.subscribe(1, "a", {.qos = Qos::k1});
  router.subscribe(2, "$share/g/a", {});
  const Match& match = router.match("a");
  router.drop_session(1);
  router.drop_session(2);
  router.take_route_changes();
  EXPECT_THAT(targets_of(match), ElementsAre("1:1"));
  EXPECT_THAT(groups_of(match), ElementsAre("$share/g/a"));
  EXPECT_TRUE(router.match("a").empty());
}

TEST_F(RouterTest, ASessionWithManySubscriptionsAndAFilterWithMany) {
  for (uint32_t i = 0; i < 300; ++i) {
    router.subscribe(0, "own/" + std::to_string(i), {});
    router.subscribe(i, "common", {});
    router.subscribe(i, "$share/g/common", {});
  }
  EXPECT_EQ(router.match("common").targets().size(), 300u);
  EXPECT_TRUE(router.unsubscribe(0, "common"));
  EXPECT_TRUE(router.unsubscribe(150, "common"));
  EXPECT_TRUE(router.unsubscribe(299, "$share/g/common"));
  EXPECT_EQ(router.match("common").targets().size(), 298u);
  EXPECT_EQ(router.find_group("$share/g/common")->members().size(), 299u);
  router.drop_session(0);
  EXPECT_EQ(router.counts().subscriptions, 298u + 298u);
}

// ---- routes -------------------------------------------------------------------------------------

TEST_F(RouterTest, TellsWhatTheOthersMustKnow) {
  EXPECT_TRUE(router.subscribe(1, "a/b", {}).announces);
  EXPECT_TRUE(router.subscribe(2, "a/b", {}).announces);
  EXPECT_TRUE(router.subscribe(1, "c", {}).announces);
  EXPECT_THAT(changes(), ElementsAre("a/b 1+0", "c 1+0"));
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_FALSE(router.subscribe(3, "a/b", {}).announces);
  router.unsubscribe(1, "a/b");
  router.unsubscribe(2, "a/b");
  EXPECT_THAT(changes(), IsEmpty());
  router.unsubscribe(3, "a/b");
  EXPECT_THAT(changes(), ElementsAre("a/b 0+0"));
}

TEST_F(RouterTest, WhatCameAndWentMeanwhileIsNotTold) {
  router.subscribe(1, "a", {});
  router.unsubscribe(1, "a");
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_EQ(router.counts().filters, 0u);
  router.subscribe(1, "a", {});
  changes();
  router.drop_session(1);
  EXPECT_TRUE(router.subscribe(2, "b", {}).announces);
  EXPECT_FALSE(router.subscribe(2, "a", {}).announces);
  EXPECT_THAT(changes(), ElementsAre("b 1+0"));
}

TEST_F(RouterTest, OtherPlacesOfOneNodeAreOneTarget) {
  route(kPeer, "a/b");
  route(kPeerWorker, "a/+");
  route(kThird, "#");
  route(kOtherWorker, "a/b");
  route(kOtherWorker, "a/b");  // again
  EXPECT_EQ(remotes_of(router.match("a/b")),
            (std::map<NodeSlot, uint64_t>{{0, 1 << 1}, {1, 1 << 5 | 1}, {2, 1}}));
  route(kPeerWorker, "a/+", {0, 0});
  route(kPeerWorker, "nobody/has/it", {0, 0});
  EXPECT_EQ(remotes_of(router.match("a/b")),
            (std::map<NodeSlot, uint64_t>{{0, 1 << 1}, {1, 1}, {2, 1}}));
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_TRUE(router.match("a/b").targets().empty());
}

TEST_F(RouterTest, ANodeThatIsGoneTakesItsRoutesAlong) {
  route(kPeer, "a/b");
  route(kPeerWorker, "a/#");
  route(kPeer, "$share/g/a/b", {2, 0});
  route(kThird, "a/b");
  route(kThird, "$share/g/a/b", {0, 1});
  router.subscribe(1, "a/+", {});
  router.match("a/b");
  router.drop_node(1);
  const Match& match = router.match("a/b");
  EXPECT_EQ(remotes_of(match), (std::map<NodeSlot, uint64_t>{{2, 1}}));
  EXPECT_THAT(groups_of(match), ElementsAre("$share/g/a/b"));
  Random random(1);
  EXPECT_EQ(router.find_group("$share/g/a/b")->pick(random), kThird);
  router.drop_node(2);
  EXPECT_EQ(router.counts().filters, 1u);
  EXPECT_EQ(router.counts().shared_groups, 0u);
  EXPECT_THAT(targets_of(router.match("a/b")), ElementsAre("1:0"));
}

// ---- shared subscriptions -----------------------------------------------------------------------

TEST_F(RouterTest, GroupsAreMatchedByTheirFilter) {
  router.subscribe(1, "$share/g/a/+", {});
  router.subscribe(2, "$share/h/a/b", {});
  route(kPeer, "$share/i/#", {1, 0});
  router.subscribe(3, "$share/g/a/b", {});
  router.subscribe(3, "a/b", {.qos = Qos::k1});
  const Match& match = router.match("a/b");
  EXPECT_THAT(groups_of(match),
              UnorderedElementsAre("$share/g/a/+", "$share/h/a/b", "$share/i/#", "$share/g/a/b"));
  EXPECT_THAT(targets_of(match), ElementsAre("3:1"));  // beside what the groups get
  EXPECT_THAT(groups_of(router.match("a/c")), UnorderedElementsAre("$share/g/a/+", "$share/i/#"));
  EXPECT_THAT(groups_of(router.match("$SYS/a")), IsEmpty());
  EXPECT_TRUE(router.match("$share/h/a/b").groups().empty());
}

TEST_F(RouterTest, AGroupsWeightFollowsItsMembers) {
  EXPECT_TRUE(router.subscribe(1, "$share/g/a", {}).announces);
  router.subscribe(2, "$share/g/a", {});
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 2+0"));
  router.set_online(1, false);
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 1+1"));
  router.set_online(1, false);
  router.set_online(2, false);
  router.set_online(2, true);
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_FALSE(router.subscribe(1, "$share/g/a", {.qos = Qos::k2}).announces);
  router.unsubscribe(2, "$share/g/a");
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 0+1"));
  router.drop_session(1);
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 0+0"));
  EXPECT_EQ(router.counts().filters, 0u);
  EXPECT_EQ(router.find_group("$share/g/a"), nullptr);
}

TEST_F(RouterTest, ASessionIsOfflineBeforeItSharesAnything) {
  router.set_online(5, false);
  router.subscribe(5, "$share/g/a", {});
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 0+1"));
  router.drop_session(5);
  router.subscribe(5, "$share/g/a", {});  // another session, of the same index
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 1+0"));
}

TEST_F(RouterTest, PlacesArePickedByTheirMembers) {
  constexpr Place kHere{kSelf, 0};
  using Shares = std::map<Place, int>;  // of 1000 picks, in hundreds
  struct Case {
    const char* what;
    int online_here;
    int offline_here;
    RouteWeight peer;
    RouteWeight third;
    std::vector<Place> excluded;
    Shares shares;
  };
  const Case cases[] = {
      {"in proportion to the members", 1, 0, {3, 0}, {0, 0}, {}, {{kHere, 25}, {kPeer, 75}}},
      {"absent ones only last", 1, 9, {1, 9}, {0, 9}, {}, {{kHere, 50}, {kPeer, 50}}},
      {"absent ones", 0, 1, {0, 3}, {0, 0}, {}, {{kHere, 25}, {kPeer, 75}}},
      {"not the excluded", 1, 0, {1, 0}, {1, 0}, {kHere, kPeer}, {{kThird, 100}}},
      {"absent before excluded", 1, 0, {1, 0}, {0, 1}, {kHere, kPeer}, {{kThird, 100}}},
      {"all excluded", 1, 0, {1, 0}, {0, 0}, {kHere, kPeer}, {}},
      {"here only", 2, 1, {0, 0}, {0, 0}, {}, {{kHere, 100}}},
      {"elsewhere only", 0, 0, {1, 0}, {0, 0}, {}, {{kPeer, 100}}},
  };
  for (const Case& c : cases) {
    SessionIndex session = 0;
    for (int i = 0; i < c.online_here; ++i) router.subscribe(session++, "$share/g/a", {});
    for (int i = 0; i < c.offline_here; ++i) {
      router.set_online(session, false);
      router.subscribe(session++, "$share/g/a", {});
    }
    route(kPeer, "$share/g/a", c.peer);
    route(kThird, "$share/g/a", c.third);
    Random random(3);
    std::map<Place, int> picks;
    for (int i = 0; i < 1000; ++i) {
      if (const auto place = router.find_group("$share/g/a")->pick(random, c.excluded)) {
        ++picks[*place];
      }
    }
    EXPECT_EQ(picks.size(), c.shares.size()) << c.what;
    for (const auto& [place, percent] : c.shares) {
      EXPECT_NEAR(picks[place], percent * 10, 50) << c.what;
    }
    for (SessionIndex each = 0; each < session; ++each) router.drop_session(each);
    route(kPeer, "$share/g/a", {0, 0});
    route(kThird, "$share/g/a", {0, 0});
  }
}

TEST_F(RouterTest, MembersTakeTurns) {
  for (const SessionIndex session : {1, 2, 3, 4}) router.subscribe(session, "$share/g/a", {});
  router.set_online(4, false);
  SharedGroup& group = *router.find_group("$share/g/a");
  const auto nobody = [](SessionIndex) { return false; };
  std::map<SessionIndex, int> picks;
  for (int i = 0; i < 300; ++i) ++picks[group.pick_member(nobody)->session];
  EXPECT_EQ(picks, (std::map<SessionIndex, int>{{1, 100}, {2, 100}, {3, 100}}));

  const auto not_2 = [](SessionIndex session) { return session == 2; };
  picks.clear();
  for (int i = 0; i < 100; ++i) ++picks[group.pick_member(not_2)->session];
  EXPECT_EQ(picks.size(), 2u);
  const auto only_4 = [](SessionIndex session) { return session != 4; };
  EXPECT_EQ(group.pick_member(only_4)->session, 4u);  // when no other is left
  EXPECT_EQ(group.pick_member([](SessionIndex) { return true; }), nullptr);
}

TEST_F(RouterTest, AMembersOptionsAreItsOwn) {  // [MQTT5-4.8.2-3]
  router.subscribe(1, "$share/g/a", {.qos = Qos::k2});
  router.subscribe(2, "$share/g/a", {.qos = Qos::k0, .identifier = 5});
  router.subscribe(1, "$share/g/a", {.qos = Qos::k1, .retain_as_published = true});
  std::map<SessionIndex, SubscriptionOptions> options;
  for (const SharedMember& member : router.find_group("$share/g/a")->members()) {
    options[member.session] = member.options;
  }
  EXPECT_EQ(options[1], (SubscriptionOptions{.qos = Qos::k1, .retain_as_published = true}));
  EXPECT_EQ(options[2], (SubscriptionOptions{.identifier = 5}));
}

// ---- the cache ----------------------------------------------------------------------------------

TEST_F(RouterTest, OnlyChangesThatConcernATopicVoidItsMatch) {
  struct Case {
    const char* filter;  // comes and goes
    bool voids;          // the match of "devices/7/up"
  };
  const Case cases[] = {
      {"devices/7/up", true},
      {"devices/7/+", true},
      {"devices/7/#", true},
      {"devices/+/up", true},
      {"devices/#", true},
      {"#", true},
      {"+/7/up", true},
      {"devices/8/up", false},
      {"devices/7/down", false},
      {"devices/8/#", false},
      {"other/#", false},
      {"$share/g/devices/7/up", true},
      {"$share/g/devices/8/up", false},
  };
  for (const Case& c : cases) {
    router.match("devices/7/up");
    uint64_t cached = router.counts().matches_cached;
    router.match("devices/7/up");
    EXPECT_EQ(router.counts().matches_cached, ++cached) << c.filter;
    router.subscribe(1, c.filter, {});
    EXPECT_EQ(router.match("devices/7/up").empty(), !c.voids) << c.filter;
    EXPECT_EQ(router.counts().matches_cached, c.voids ? cached : ++cached) << c.filter;
    router.unsubscribe(1, c.filter);
    router.take_route_changes();
    EXPECT_TRUE(router.match("devices/7/up").empty()) << c.filter;
    EXPECT_EQ(router.counts().matches_cached, c.voids ? cached : ++cached) << c.filter;
  }
}

TEST(RouterCache, StaysWithinItsBounds) {
  Router router({.seed = 1, .cached_topics_max = 1000, .cached_bytes_max = 20'000});
  router.subscribe(1, "#", {.qos = Qos::k1});
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i) {
      const Match& match = router.match("topic/" + std::to_string(i));
      ASSERT_EQ(match.targets().size(), 1u);
      ASSERT_EQ(match.topic(), "topic/" + std::to_string(i));
      ASSERT_LE(router.counts().cached_topics, 1000u);
      ASSERT_LE(router.counts().cached_bytes, 20'000u);
    }
  }
  EXPECT_GT(router.counts().cached_topics, 150u);
  for (SessionIndex session = 2; session < 3000; ++session) router.subscribe(session, "wide", {});
  EXPECT_EQ(router.match("wide").targets().size(), 2999u);  // larger than all of the cache
  EXPECT_EQ(router.counts().cached_topics, 1u);
  EXPECT_EQ(router.match("small").targets().size(), 1u);
  EXPECT_LE(router.counts().cached_bytes, 20'000u);
}

TEST(RouterCache, GrowsWithTheTopicsInUse) {
  Router router({.seed = 1});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20'000; ++i) router.match("topic/" + std::to_string(i));
  }
  const Router::Counts counts = router.counts();
  EXPECT_GT(counts.cached_topics, 18'000u);
  EXPECT_GT(counts.matches_cached, 36'000u);
}

TEST(RouterCache, AUsedTopicOutlivesOnesUsedOnce) {
  struct Case {
    int used_again;  // topics, in turn, each time after one that never comes again
    uint64_t cached_at_least;
  };
  for (const Case& c : {Case{20, 19'900}, Case{60, 19'000}}) {
    Router router({.seed = 1, .cached_topics_max = 100});
    uint64_t cached = 0;
    for (int i = 0; i < 20'000; ++i) {
      router.match("once/" + std::to_string(i));
      const uint64_t before = router.counts().matches_cached;
      router.match("again/" + std::to_string(i % c.used_again));
      cached += router.counts().matches_cached - before;
    }
    EXPECT_GE(cached, c.cached_at_least) << c.used_again;
  }
}

}  // namespace
}  // namespace shoal
