#include "tests/rules/router_fixture.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

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

}  // namespace
}  // namespace shoal
