// A Router against a model that keeps plain maps and matches every filter with every topic.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "node/rules/router.h"
#include "node/rules/topic.h"
#include "tests/rules/naive_match.h"

namespace shoal {
namespace {

constexpr WorkerIndex kWorker = 2;
constexpr Place kHere{kSelf, kWorker};

const std::vector<std::string> kFilters = {
    "a",           "a/b",        "a/b/c",      "b",          "a/+",    "a/#",     "+",
    "+/b",         "#",          "a/b/#",      "+/+/c",      "$SYS/a", "$SYS/#",  "a//b",
    "/",           "$share/g/a", "$share/g/#", "$share/h/#", "b/+/c",  "a/+/c/#", "$share/g/a/+/c",
    "$share/h/a/b"};
const std::vector<std::string> kTopics = {"a",      "b",      "a/b", "a/b/c",   "b/b/c", "a/c/c",
                                          "$SYS/a", "$SYS/b", "/",   "a/b/c/d", "a//b",  "c"};

// What a session gets: QoS, Retain As Published, identifiers in order.
using Delivery = std::tuple<Qos, bool, std::vector<uint32_t>>;

Delivery delivery_of(const Match& match, const LocalTarget& target) {
  const auto span = match.identifiers(target);
  std::vector<uint32_t> ids(span.begin(), span.end());
  std::sort(ids.begin(), ids.end());
  return {target.qos, target.retain_as_published, ids};
}

struct Model {
  std::map<std::pair<SessionIndex, std::string>, SubscriptionOptions> subscriptions;
  std::map<std::pair<Place, std::string>, RouteWeight> routes;
  std::map<std::string, RouteWeight> announced;

  RouteWeight weight_of(const std::string& filter) const {
    RouteWeight weight;
    for (const auto& [key, options] : subscriptions) {
      if (key.second == filter) ++weight.online;
    }
    if (!parse_shared(filter)) weight = {.online = weight.present()};
    return weight;
  }

  // Of what `publisher` sends, if it is a session here.
  std::map<SessionIndex, Delivery> deliveries(const std::string& topic,
                                              SessionIndex publisher) const {
    std::map<SessionIndex, Delivery> out;
    for (const auto& [key, options] : subscriptions) {
      const auto& [session, filter] = key;
      if (parse_shared(filter) || !naive_matches(filter, topic)) continue;
      if (options.no_local && session == publisher) continue;
      auto& [qos, retain_as_published, identifiers] = out[session];
      qos = std::max(qos, options.qos);
      retain_as_published |= options.retain_as_published;
      if (options.identifier != 0) identifiers.push_back(options.identifier);
    }
    for (auto& [session, delivery] : out) {
      std::sort(std::get<2>(delivery).begin(), std::get<2>(delivery).end());
    }
    return out;
  }

  std::map<NodeSlot, uint64_t> remotes(const std::string& topic) const {
    std::map<NodeSlot, uint64_t> out;
    for (const auto& [key, weight] : routes) {
      const auto& [place, filter] = key;
      if (parse_shared(filter) || !naive_matches(filter, topic)) continue;
      out[place.node] |= uint64_t{1} << place.worker;
    }
    return out;
  }

  std::set<std::string> groups(const std::string& topic) const {
    std::set<std::string> out;
    const auto add = [&](const std::string& filter) {
      const auto shared = parse_shared(filter);
      if (shared && naive_matches(shared->filter, topic)) out.insert(filter);
    };
    for (const auto& each : subscriptions) add(each.first.second);
    for (const auto& each : routes) add(each.first.second);
    return out;
  }

  // The places that pick() may give.
  std::set<Place> candidates(const std::string& group, Place excluded) const {
    for (const auto number : {&RouteWeight::online, &RouteWeight::offline}) {
      std::set<Place> out;
      if (weight_of(group).*number != 0) out.insert(kHere);
      for (const auto& [key, weight] : routes) {
        if (key.second == group && weight.*number != 0) out.insert(key.first);
      }
      out.erase(excluded);
      if (!out.empty()) return out;
    }
    return {};
  }
};

class RouterAgainstModel {
 public:
  explicit RouterAgainstModel(uint64_t seed)
      : random_(seed),
        router_({.worker = kWorker,
                 .seed = seed,
                 // Sometimes so little that matches are given up all the time.
                 .cached_topics_max = 1000,
                 .cached_bytes_max = random_.one_in(2) ? 1'000'000u : 500u}) {}

  void step() {
    const uint64_t kind = random_.below(100);
    if (kind < 30) return subscribe();
    if (kind < 45) return unsubscribe();
    if (kind < 50) return drop_session();
    if (kind < 85) return apply_route();
    if (kind < 87) return drop_node();
    check_changes();
  }

  void check() {
    const std::string& topic = one_of(kTopics);
    const Match& match = router_.match(topic);
    ASSERT_EQ(match.topic(), topic);
    check_targets(match, topic);
    std::map<NodeSlot, uint64_t> remotes;
    for (const RemoteTarget& remote : match.remotes()) {
      ASSERT_TRUE(remotes.emplace(remote.node, remote.worker_mask).second);
    }
    ASSERT_EQ(remotes, model_.remotes(topic));
    check_groups(match, topic);
  }

  void check_invariants() { router_.check_invariants(); }

  void end() {
    for (SessionIndex session = 0; session < kSessions; ++session) router_.drop_session(session);
    for (NodeSlot node = 0; node < kNodes; ++node) router_.drop_node(node);
    router_.take_route_changes();
    router_.check_invariants();
    const Router::Counts counts = router_.counts();
    ASSERT_EQ(counts.filters + counts.subscriptions + counts.shared_groups, 0u);
  }

 private:
  static constexpr SessionIndex kSessions = 6;
  static constexpr NodeSlot kNodes = 4;

  template <class T>
  const T& one_of(const std::vector<T>& from) {
    return from[random_.below(from.size())];
  }
  SessionIndex any_session() { return static_cast<SessionIndex>(random_.below(kSessions)); }
  Place any_place() {
    for (;;) {
      const Place place{static_cast<NodeSlot>(random_.below(kNodes)),
                        static_cast<WorkerIndex>(random_.below(4))};
      if (place != kHere) return place;
    }
  }

  void subscribe() {
    const SessionIndex session = any_session();
    const std::string& filter = one_of(kFilters);
    const bool shared = parse_shared(filter).has_value();
    const SubscriptionOptions options{
        .qos = static_cast<Qos>(random_.below(3)),
        .no_local = !shared && random_.one_in(3),
        .retain_as_published = random_.one_in(3),
        .identifier = random_.one_in(2) ? static_cast<uint32_t>(1 + random_.below(5)) : 0};
    const SubscribeResult result = router_.subscribe(session, filter, options);
    ASSERT_EQ(result.existed, model_.subscriptions.contains({session, filter}));
    model_.subscriptions[{session, filter}] = options;
    ASSERT_EQ(result.announces, model_.weight_of(filter) != model_.announced[filter]);
  }
  void unsubscribe() {
    const SessionIndex session = any_session();
    const std::string& filter = one_of(kFilters);
    ASSERT_EQ(router_.unsubscribe(session, filter),
              model_.subscriptions.erase({session, filter}) == 1);
  }
  void drop_session() {
    const SessionIndex session = any_session();
    router_.drop_session(session);
    std::erase_if(model_.subscriptions,
                  [session](const auto& each) { return each.first.first == session; });
  }
  void apply_route() {
    const Place place = any_place();
    const std::string& filter = one_of(kFilters);
    RouteWeight weight;
    if (random_.one_in(2)) weight.online = static_cast<uint16_t>(random_.below(3));
    if (random_.one_in(2)) weight.offline = static_cast<uint16_t>(random_.below(3));
    router_.apply({place, {filter, weight}});
    if (weight.present()) {
      model_.routes[{place, filter}] = weight;
    } else {
      model_.routes.erase({place, filter});
    }
  }
  void drop_node() {
    const NodeSlot node = static_cast<NodeSlot>(random_.below(kNodes));
    router_.drop_node(node);
    std::erase_if(model_.routes,
                  [node](const auto& each) { return each.first.first.node == node; });
  }

  void check_changes() {
    std::map<std::string, RouteWeight> changes;
    for (const RouteChange& change : router_.take_route_changes()) {
      ASSERT_TRUE(changes.emplace(change.filter, change.weight).second);
    }
    std::map<std::string, RouteWeight> expected;
    for (const std::string& filter : kFilters) {
      const RouteWeight weight = model_.weight_of(filter);
      if (weight != std::exchange(model_.announced[filter], weight)) expected[filter] = weight;
    }
    ASSERT_EQ(changes, expected);
  }

  void check_targets(const Match& match, const std::string& topic) {
    std::map<SessionIndex, Delivery> from_others;
    for (const LocalTarget& target : match.targets()) {
      ASSERT_TRUE(from_others.emplace(target.session, delivery_of(match, target)).second);
    }
    ASSERT_EQ(from_others, model_.deliveries(topic, kNoSession)) << topic;

    for (const LocalTarget& target : match.targets()) {
      const LocalTarget* const own = target.no_local ? match.own_target(target.session) : &target;
      std::map<SessionIndex, Delivery> expected = model_.deliveries(topic, target.session);
      ASSERT_EQ(own != nullptr, expected.contains(target.session)) << topic;
      if (own) ASSERT_EQ(delivery_of(match, *own), expected[target.session]) << topic;
    }
  }

  void check_groups(const Match& match, const std::string& topic) {
    std::set<std::string> groups;
    for (SharedGroup* group : match.groups()) {
      const std::string filter(group->filter());
      ASSERT_EQ(router_.find_group(filter), group);
      check_members(*group, filter);
      const Place excluded = random_.one_in(2) ? kHere : any_place();
      const std::set<Place> candidates = model_.candidates(filter, excluded);
      const auto picked = group->pick(random_, std::span(&excluded, 1));
      ASSERT_EQ(picked.has_value(), !candidates.empty());
      if (picked) ASSERT_TRUE(candidates.contains(*picked));
      // One without members anywhere may stay until its end was told.
      if (!model_.candidates(filter, Place{UINT16_MAX, 0}).empty()) groups.insert(filter);
    }
    ASSERT_EQ(groups, model_.groups(topic)) << topic;
  }

  void check_members(const SharedGroup& group, const std::string& filter) {
    std::map<SessionIndex, SubscriptionOptions> members;
    for (const SharedMember& member : group.members()) members[member.session] = member.options;
    ASSERT_EQ(members.size(), group.members().size());
    for (const auto& [session, options] : members) {
      ASSERT_EQ(options, (model_.subscriptions[{session, filter}]));
    }
    ASSERT_EQ(group.weight(), model_.weight_of(filter));
  }

  static constexpr SessionIndex kNoSession = UINT32_MAX;

  Random random_;
  Router router_;
  Model model_;
};

TEST(RouterModel, RandomSequences) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    RouterAgainstModel run(seed);
    for (int step = 0; step < 1000; ++step) {
      run.step();
      run.check();
      if (step % 50 == 0) run.check_invariants();
      if (testing::Test::HasFailure()) FAIL() << "seed " << seed << " step " << step;
    }
    run.end();
  }
}

}  // namespace
}  // namespace shoal
