// What the router costs: a match with and without the cache among a million filters, a subscription
// that comes and goes, and bytes a filter.
//
// The million: 70 in 100 filters are exact, 30 have wildcards; six levels; about 11 match a topic.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "node/rules/router.h"
#include "shoal/random.h"

namespace shoal {
namespace {

constexpr uint64_t kFilters = 1'000'000;
constexpr size_t kSessions = 100'000;

std::string topic_of(Random& random) {
  return "plant" + std::to_string(random.below(10)) + "/line" + std::to_string(random.below(50)) +
         "/cell" + std::to_string(random.below(40)) + "/machine" +
         std::to_string(random.below(100)) + "/sensor" + std::to_string(random.below(10)) +
         "/value";
}

// Of one kind in ten each: "+" in one level, or "#" behind some. Levels near the end are replaced
// more often, as people do.
std::string wildcard_of(Random& random) {
  std::vector<std::string> levels;
  const std::string topic = topic_of(random);
  for (size_t begin = 0; begin <= topic.size();) {
    const size_t end = std::min(topic.find('/', begin), topic.size());
    levels.push_back(topic.substr(begin, end - begin));
    begin = end + 1;
  }
  const size_t keep = 3 + random.below(3);
  if (random.one_in(3)) {
    levels.resize(keep);
    levels.push_back("#");
  } else {
    levels[keep] = "+";
    if (random.one_in(2)) levels[2] = "+";
  }
  std::string filter = levels[0];
  for (size_t i = 1; i < levels.size(); ++i) filter += '/' + levels[i];
  return filter;
}

std::string filter_of(Random& random) {
  return random.below(10) < 3 ? wildcard_of(random) : topic_of(random);
}

size_t bytes_allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void fill(Router& router) {
  Random random(1);
  for (uint64_t i = 0; i < kFilters; ++i) {
    router.subscribe(static_cast<SessionIndex>(random.below(kSessions)), filter_of(random),
                     {.qos = Qos::k1});
  }
  router.take_route_changes();
}

// One for all benchmarks: filling it takes seconds.
Router& full_router() {
  static const std::unique_ptr<Router> router = [] {
    auto made = std::make_unique<Router>(Router::Options{.seed = 1});
    fill(*made);
    return made;
  }();
  return *router;
}

std::vector<std::string> topics(size_t count) {
  Random random(2);
  std::vector<std::string> out(count);
  for (std::string& topic : out) topic = topic_of(random);
  return out;
}

// Begins at `next`, and leaves there where to go on.
void match_all(benchmark::State& state, Router& router, const std::vector<std::string>& in,
               size_t& next) {
  const Router::Counts before = router.counts();
  uint64_t targets = 0;
  for (auto _ : state) {
    targets += router.match(in[next]).targets().size();
    if (++next == in.size()) next = 0;
  }
  const double matches = static_cast<double>(router.counts().matches - before.matches);
  state.counters["targets"] = static_cast<double>(targets) / matches;
  state.counters["hits"] =
      static_cast<double>(router.counts().matches_cached - before.matches_cached) / matches;
}

void match_cached(benchmark::State& state) {
  const std::vector<std::string> hot = topics(static_cast<size_t>(state.range(0)));
  for (int warm = 0; warm < 3; ++warm) {
    for (const std::string& topic : hot) full_router().match(topic);
  }
  size_t next = 0;
  match_all(state, full_router(), hot, next);
}
BENCHMARK(match_cached)->Arg(100)->Arg(1'000)->Arg(30'000);

// Topics that come again only after the cache has given them up.
void match_uncached(benchmark::State& state) {
  static const std::vector<std::string> all = topics(1'000'000);
  static size_t next = 0;
  match_all(state, full_router(), all, next);
}
BENCHMARK(match_uncached);

// The same with all filters that matter in the processor's cache: a comes-and-goes "#" makes
// every cached match out of date.
void match_out_of_date(benchmark::State& state) {
  const std::vector<std::string> hot = topics(static_cast<size_t>(state.range(0)));
  Router& router = full_router();
  size_t next = 0;
  for (auto _ : state) {
    if (next == 0) {
      router.subscribe(kSessions, "#", {});
      router.unsubscribe(kSessions, "#");
    }
    benchmark::DoNotOptimize(router.match(hot[next]).targets().size());
    if (++next == hot.size()) next = 0;
  }
}
BENCHMARK(match_out_of_date)->Arg(1'000);

void match_fan_out(benchmark::State& state) {
  Router router({.seed = 1});
  for (SessionIndex session = 0; session < state.range(0); ++session) {
    router.subscribe(session, "wide", {});
  }
  for (auto _ : state) {
    router.subscribe(0, "wide", {});  // makes it out of date
    benchmark::DoNotOptimize(router.match("wide").targets().size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(match_fan_out)->Arg(1'000)->Arg(100'000);

void subscribe_and_unsubscribe(benchmark::State& state) {
  Router& router = full_router();
  Random random(3);
  std::vector<std::string> filters(100'000);
  for (std::string& filter : filters) filter = filter_of(random);
  size_t next = 0;
  for (auto _ : state) {
    router.subscribe(kSessions, filters[next], {});
    router.unsubscribe(kSessions, filters[next]);
    if (++next == filters.size()) next = 0;
    if (next % 100 == 0) router.take_route_changes();
  }
}
BENCHMARK(subscribe_and_unsubscribe);

void drop_a_node(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    Router router({.seed = 1});
    Random random(1);
    for (uint64_t i = 0; i < kFilters; ++i) {
      router.apply({{1, 0}, {filter_of(random), {1, 0}}});
    }
    state.ResumeTiming();
    router.drop_node(1);
  }
}
BENCHMARK(drop_a_node)->Unit(benchmark::kMillisecond)->Iterations(2);

// Bytes a filter, by the allocator's count.
void bytes_a_filter(benchmark::State& state, void (*fill_up)(Router&, uint64_t)) {
  for (auto _ : state) {
    const size_t before = bytes_allocated();
    const auto router = std::make_unique<Router>(Router::Options{.seed = 1});
    fill_up(*router, kFilters);
    const Router::Counts counts = router->counts();
    state.counters["bytes"] =
        static_cast<double>(bytes_allocated() - before) / static_cast<double>(counts.filters);
    state.counters["filters"] = static_cast<double>(counts.filters);
  }
}
// What a connection with one subscription of its own costs: "client/123456/commands".
void one_each(Router& router, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    router.subscribe(static_cast<SessionIndex>(i), "client/" + std::to_string(i) + "/commands", {});
    if (i % 1000 == 0) router.take_route_changes();
  }
  router.take_route_changes();
}
void one_each_with_wildcard(Router& router, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    router.subscribe(static_cast<SessionIndex>(i), "client/" + std::to_string(i) + "/#", {});
    if (i % 1000 == 0) router.take_route_changes();
  }
  router.take_route_changes();
}
void routes(Router& router, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    router.apply({{1, 0}, {"client/" + std::to_string(i) + "/commands", {1, 0}}});
  }
}
void mixed(Router& router, uint64_t) { fill(router); }
BENCHMARK_CAPTURE(bytes_a_filter, one_each, one_each)->Iterations(1);
BENCHMARK_CAPTURE(bytes_a_filter, one_each_with_wildcard, one_each_with_wildcard)->Iterations(1);
BENCHMARK_CAPTURE(bytes_a_filter, routes, routes)->Iterations(1);
BENCHMARK_CAPTURE(bytes_a_filter, mixed, mixed)->Iterations(1);

}  // namespace
}  // namespace shoal
