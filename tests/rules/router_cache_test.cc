#include "tests/rules/router_fixture.h"

namespace shoal {
namespace {

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
