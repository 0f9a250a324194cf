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

TEST_F(SharedGroupTest, ASlowMemberIsAsOneWithoutAConnection) {
  for (const SessionIndex session : {1, 2}) router.subscribe(session, "$share/g/a", {});
  router.subscribe(1, "$share/h/a", {});
  router.subscribe(3, "$share/h/a", {});
  changes();
  router.set_slow(1, true);
  EXPECT_THAT(changes(), UnorderedElementsAre("$share/g/a 1+1", "$share/h/a 1+1"));
  router.set_slow(1, true);
  EXPECT_THAT(changes(), IsEmpty());
  SharedGroup& group = *router.find_group("$share/g/a");
  const auto pick = [&] {
    return group.pick_member(7, 1000, [](SessionIndex) { return SharedGroup::Work{}; })->session;
  };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pick(), 2u);
  EXPECT_TRUE(group.is_attended());
  router.set_slow(2, true);
  EXPECT_FALSE(group.is_attended());
  EXPECT_NE(pick(), pick());  // where all are
  route(kPeer, "$share/g/a", {0, 1});
  EXPECT_FALSE(group.is_attended());
  route(kPeer, "$share/g/a", {1, 0});
  EXPECT_TRUE(group.is_attended());
  router.unsubscribe(1, "$share/g/a");
  EXPECT_THAT(changes(), ElementsAre("$share/g/a 0+1"));
  router.set_slow(1, false);
  router.set_slow(2, false);
  EXPECT_THAT(changes(), UnorderedElementsAre("$share/g/a 1+0", "$share/h/a 2+0"));
}

TEST_F(SharedGroupTest, WhatComesBackIsPickedForAgain) {
  constexpr Place kHere{kSelf, 0};
  struct Case {
    const char* what;
    RouteWeight peer;
    RouteWeight third;
    std::vector<Place> excluded;
    std::set<Place> picked;
  };
  const Case cases[] = {
      {"elsewhere first", {1, 0}, {0, 0}, {kHere}, {kPeer}},
      {"then where another may be", {1, 0}, {0, 0}, {kHere, kPeer}, {kHere, kPeer}},
      {"before those without a connection", {0, 1}, {0, 1}, {kHere}, {kHere}},
      {"who are the last", {0, 1}, {0, 0}, {}, {kHere}},
  };
  router.subscribe(1, "$share/g/a", {});
  SharedGroup& group = *router.find_group("$share/g/a");
  Random random(3);
  for (const Case& c : cases) {
    route(kPeer, "$share/g/a", c.peer);
    route(kThird, "$share/g/a", c.third);
    std::set<Place> picks;
    for (int i = 0; i < 20; ++i) {
      TriedPlaces tried{.excluded = c.excluded, .last = {}};
      picks.insert(*group.pick_again(random, tried, Instant{}));
    }
    EXPECT_EQ(picks, c.picked) << c.what;
  }
  route(kPeer, "$share/g/a", {0, 0});
  route(kThird, "$share/g/a", {0, 0});

  // Not for ever, unless each takes its time.
  for (const Duration between : {Duration::millis(1), Duration::seconds(2)}) {
    TriedPlaces tried;
    Instant now{};
    int picks = 0;
    while (picks < 100 && group.pick_again(random, tried, now)) {
      tried.excluded.push_back(kHere);
      now = now + between;
      ++picks;
    }
    EXPECT_EQ(picks, between < Duration::seconds(1) ? 9 : 100);
  }
}

constexpr uint64_t kPublisher = 7;
constexpr uint64_t kOther = 8;
constexpr uint32_t kTick = 1000;
using Work = SharedGroup::Work;

TEST_F(SharedGroupTest, MembersWithLittleToDoTakeTurns) {
  for (const SessionIndex session : {1, 2, 3}) router.subscribe(session, "$share/g/a", {});
  SharedGroup& group = *router.find_group("$share/g/a");
  const auto little = [](SessionIndex) { return Work{.open = SharedGroup::kBusy - 1}; };
  std::map<SessionIndex, int> picks;
  for (int i = 0; i < 300; ++i) ++picks[group.pick_member(kPublisher, kTick, little)->session];
  EXPECT_EQ(picks, (std::map<SessionIndex, int>{{1, 100}, {2, 100}, {3, 100}}));

  const auto much_for_2 = [](SessionIndex session) {
    return Work{.open = session == 2 ? SharedGroup::kBusy : 0};
  };
  picks.clear();
  for (int i = 0; i < 100; ++i) ++picks[group.pick_member(kPublisher, kTick, much_for_2)->session];
  EXPECT_EQ(picks.size(), 2u);
  EXPECT_EQ(picks.count(2), 0u);
  for (const SessionIndex session : {1, 2, 3}) router.unsubscribe(session, "$share/g/a");
  EXPECT_EQ(group.pick_member(kPublisher, kTick, little), nullptr);
}

TEST_F(SharedGroupTest, BusyMembersGetWhatAPublisherSendsInRows) {
  for (const SessionIndex session : {1, 2}) router.subscribe(session, "$share/g/a", {});
  SharedGroup& group = *router.find_group("$share/g/a");
  std::map<SessionIndex, uint64_t> open{{1, 100}, {2, 100}};
  const auto work_of = [&](SessionIndex session) { return Work{.open = open[session]}; };
  const auto pick = [&](uint64_t publisher) {
    const SessionIndex session = group.pick_member(publisher, kTick, work_of)->session;
    ++open[session];
    return session;
  };
  std::vector<SessionIndex> picks;
  for (uint32_t i = 0; i < 20 * SharedGroup::kRow; ++i) picks.push_back(pick(kPublisher));
  int changes = 0;
  for (size_t i = 1; i < picks.size(); ++i) changes += picks[i] != picks[i - 1] ? 1 : 0;
  EXPECT_EQ(changes, 19);
  EXPECT_EQ(open[1], open[2]);

  // A row ends with its publisher's messages; the next one goes to who has the least to do.
  const SessionIndex first = pick(kPublisher);
  EXPECT_EQ(pick(kPublisher), first);
  EXPECT_NE(pick(kOther), first);
  // And where its member can take no more.
  const SessionIndex second = pick(kPublisher);
  open[second] += SharedGroup::kMustWait;
  EXPECT_NE(pick(kPublisher), second);
  // Where none can, the rows go on.
  for (auto& [session, messages] : open) messages += 2 * SharedGroup::kMustWait;
  const SessionIndex third = pick(kPublisher);
  for (uint32_t i = 1; i < SharedGroup::kRow; ++i) EXPECT_EQ(pick(kPublisher), third);
}

// One that has just acknowledged all that it had, and will soon have done so again.
TEST_F(SharedGroupTest, AFastMemberIsABusyOne) {
  for (const SessionIndex session : {1, 2}) router.subscribe(session, "$share/g/a", {});
  SharedGroup& group = *router.find_group("$share/g/a");
  struct Case {
    const char* what;
    uint32_t ticks;
    uint64_t done;
    bool in_a_row;
  };
  uint32_t tick = kTick;
  Work work;
  const auto pick = [&](uint64_t publisher) {
    return group.pick_member(publisher, tick, [&](SessionIndex) { return work; })->session;
  };
  const Case cases[] = {
      {"at first nobody knows", 0, 0, false},
      {"slow", 1, SharedGroup::kRow - 1, false},
      {"fast", 1, SharedGroup::kRow, true},
      {"as before in the same tick", 0, 0, true},
      {"fast in the mean", 3, 3 * SharedGroup::kRow, true},
      {"slow in the mean", 3, 3 * SharedGroup::kRow - 1, false},
  };
  for (const Case& c : cases) {
    work.open = SharedGroup::kBusy;
    pick(kOther);  // looks at both
    work.open = 0;
    tick += c.ticks;
    work.done += c.done;
    const SessionIndex first = pick(kPublisher);
    EXPECT_EQ(pick(kPublisher) == first, c.in_a_row) << c.what;
  }
}

TEST_F(SharedGroupTest, AnotherPlaceGetsRowsWhileTheMembersHereAreBusy) {
  router.subscribe(1, "$share/g/a", {});
  route(kPeer, "$share/g/a", {2, 0});
  SharedGroup& group = *router.find_group("$share/g/a");
  uint32_t open = 0;
  const auto work_of = [&](SessionIndex) { return Work{.open = open}; };
  group.pick_member(kOther, kTick, work_of);
  group.begin_row(kPublisher, kPeer);
  EXPECT_EQ(group.place_in_row(kPublisher), std::nullopt);

  open = SharedGroup::kBusy;
  group.pick_member(kOther, kTick, work_of);
  group.begin_row(kPublisher, kPeer);
  EXPECT_EQ(group.place_in_row(kOther), std::nullopt);
  for (uint32_t i = 1; i < SharedGroup::kRow; ++i) {
    EXPECT_EQ(group.place_in_row(kPublisher), kPeer) << i;
  }
  EXPECT_EQ(group.place_in_row(kPublisher), std::nullopt);

  group.begin_row(kPublisher, kPeer);
  route(kPeer, "$share/g/a", {0, 0});
  EXPECT_EQ(group.place_in_row(kPublisher), std::nullopt);
}

TEST_F(SharedGroupTest, ARowHereKeepsItsPlace) {
  router.subscribe(1, "$share/g/a", {});
  route(kPeer, "$share/g/a", {1, 0});
  SharedGroup& group = *router.find_group("$share/g/a");
  const auto work_of = [](SessionIndex) { return Work{.open = SharedGroup::kBusy}; };
  group.pick_member(kPublisher, kTick, work_of);
  for (uint32_t i = 1; i < SharedGroup::kRow; ++i) {
    EXPECT_EQ(group.place_in_row(kPublisher), (Place{kSelf, 0})) << i;
    group.pick_member(kPublisher, kTick, work_of);
  }
  EXPECT_EQ(group.place_in_row(kPublisher), std::nullopt);
  // A place or a member that comes ends it.
  group.pick_member(kPublisher, kTick, work_of);
  route(kThird, "$share/g/a", {1, 0});
  EXPECT_EQ(group.place_in_row(kPublisher), std::nullopt);
  group.pick_member(kPublisher, kTick, work_of);
  router.subscribe(2, "$share/g/a", {});
  EXPECT_EQ(group.place_in_row(kPublisher), std::nullopt);
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
