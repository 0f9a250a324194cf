#include "tests/rules/router_fixture.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using SharedGroupTest = RouterTest;

TEST_F(SharedGroupTest, GroupsAreMatchedByTheirFilter) {
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

TEST_F(SharedGroupTest, AGroupsWeightFollowsItsMembers) {
  EXPECT_TRUE(router.subscribe(1, "$share/g/a", {}).announces);
  router.subscribe(2, "$share/g/a", {});
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 2+0"));
  EXPECT_FALSE(router.subscribe(1, "$share/g/a", {.qos = Qos::k2}).announces);
  router.unsubscribe(2, "$share/g/a");
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 1+0"));
  router.drop_session(1);
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 0+0"));
  EXPECT_EQ(router.counts().filters, 0u);
  EXPECT_EQ(router.find_group("$share/g/a"), nullptr);
}

TEST_F(SharedGroupTest, PlacesArePickedByTheirMembers) {
  constexpr Place kHere{kSelf, 0};
  using Shares = std::map<Place, int>;  // of 1000 picks, in hundreds
  struct Case {
    const char* what;
    int here;
    RouteWeight peer;
    RouteWeight third;
    std::vector<Place> excluded;
    Shares shares;
  };
  const Case cases[] = {
      {"in proportion to the members", 1, {3, 0}, {0, 0}, {}, {{kHere, 25}, {kPeer, 75}}},
      {"absent ones only last", 1, {1, 9}, {0, 9}, {}, {{kHere, 50}, {kPeer, 50}}},
      {"absent ones", 0, {0, 1}, {0, 3}, {}, {{kPeer, 25}, {kThird, 75}}},
      {"not the excluded", 1, {1, 0}, {1, 0}, {kHere, kPeer}, {{kThird, 100}}},
      {"absent before excluded", 1, {1, 0}, {0, 1}, {kHere, kPeer}, {{kThird, 100}}},
      {"all excluded", 1, {1, 0}, {0, 0}, {kHere, kPeer}, {}},
      {"here only", 2, {0, 0}, {0, 0}, {}, {{kHere, 100}}},
      {"elsewhere only", 0, {1, 0}, {0, 0}, {}, {{kPeer, 100}}},
  };
  for (const Case& c : cases) {
    SessionIndex session = 0;
    for (int i = 0; i < c.here; ++i) router.subscribe(session++, "$share/g/a", {});
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

TEST_F(SharedGroupTest, MembersTakeTurns) {
  for (const SessionIndex session : {1, 2, 3}) router.subscribe(session, "$share/g/a", {});
  SharedGroup& group = *router.find_group("$share/g/a");
  const auto nobody = [](SessionIndex) { return false; };
  std::map<SessionIndex, int> picks;
  for (int i = 0; i < 300; ++i) ++picks[group.pick_member(nobody)->session];
  EXPECT_EQ(picks, (std::map<SessionIndex, int>{{1, 100}, {2, 100}, {3, 100}}));

  const auto not_2 = [](SessionIndex session) { return session == 2; };
  picks.clear();
  for (int i = 0; i < 100; ++i) ++picks[group.pick_member(not_2)->session];
  EXPECT_EQ(picks.size(), 2u);
  EXPECT_EQ(group.pick_member([](SessionIndex) { return true; }), nullptr);
}

TEST_F(SharedGroupTest, MembersTakeTurnsInRows) {
  for (const SessionIndex session : {1, 2}) router.subscribe(session, "$share/g/a", {});
  SharedGroup& group = *router.find_group("$share/g/a");
  const auto nobody = [](SessionIndex) { return false; };
  std::vector<SessionIndex> picks;
  for (int i = 0; i < 20 * 16; ++i) picks.push_back(group.pick_member_in_rows(nobody)->session);
  int changes = 0;
  for (size_t i = 1; i < picks.size(); ++i) changes += picks[i] != picks[i - 1] ? 1 : 0;
  EXPECT_EQ(changes, 19);
  EXPECT_EQ(std::count(picks.begin(), picks.end(), 1u), 160);

  // A row ends where its member can take no more.
  const SessionIndex first = group.pick_member_in_rows(nobody)->session;
  const auto not_first = [&](SessionIndex session) { return session == first; };
  EXPECT_NE(group.pick_member_in_rows(not_first)->session, first);
  EXPECT_NE(group.pick_member_in_rows(nobody)->session, first);
  EXPECT_EQ(group.pick_member_in_rows([](SessionIndex) { return true; }), nullptr);
}

TEST_F(SharedGroupTest, AMembersOptionsAreItsOwn) {  // [MQTT5-4.8.2-3]
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

}  // namespace
}  // namespace shoal
