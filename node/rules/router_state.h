// What a Router is made of. Only its .cc files include this.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include "node/rules/filter_table.h"
#include "node/rules/generations.h"
#include "node/rules/match_builder.h"
#include "node/rules/match_cache.h"
#include "node/rules/router.h"
#include "node/rules/shared_group.h"
#include "node/rules/subscription_table.h"

namespace shoal {

struct Router::State {
  explicit State(const Options& given)
      : options(given),
        filters(given.seed),
        builder(filters, subscriptions),
        generations(given.seed),
        cache(given.cached_topics_max, given.cached_bytes_max) {}

  // ---- filters

  // Cached matches that the filter is part of, or should be, are out of date.
  void touch(FilterId id);
  // The weight may be another than the others know: have take_route_changes() look.
  void note_change(FilterId id);
  RouteWeight weight_of(FilterId id) const;
  RouteWeight announced_weight_of(FilterId id) const;
  // Forgets a filter that nobody wants and of which the others know so.
  void release_if_unused(FilterId id);

  // ---- shared subscriptions

  SharedGroup& group_of(FilterId id) { return *groups.find(id)->second; }
  void add_group(FilterId id);
  void end_group(FilterId id);
  FilterId find_or_add_filter(std::string_view text);
  SubscriptionId find_shared(SessionIndex session, FilterId id) const;

  // ---- subscriptions

  SubscriptionId find_subscription(SessionIndex session, FilterId id) const;
  void add_subscription(SessionIndex session, FilterId id, const SubscriptionOptions& given);
  void replace_subscription(SubscriptionId id, const SubscriptionOptions& given);
  void remove_subscription(SubscriptionId id);

  // ---- routes

  void add_route(Place place, const RouteChange& change);
  void remove_route(Place place, std::string_view text);

  MatchPtr make_match(std::string_view topic, uint64_t hash);

  const Options options;
  FilterTable filters;
  SubscriptionTable subscriptions;
  absl::flat_hash_map<FilterId, std::unique_ptr<SharedGroup>> groups;
  // By the filter behind "$share/NAME/".
  absl::flat_hash_map<FilterId, std::vector<SharedGroup*>> groups_on;
  std::vector<FilterId> changed;  // those whose `changed` is set

  MatchBuilder builder;
  Generations generations;
  MatchCache cache;
  std::vector<FilterId> matching;                          // kept for its memory
  std::vector<std::unique_ptr<SharedGroup>> ended_groups;  // the last match may name them
  uint64_t matches = 0;
  uint64_t matches_cached = 0;
};

}  // namespace shoal
