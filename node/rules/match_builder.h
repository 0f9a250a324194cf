// Puts a Match together from the filters that match. Keeps its lists from one to the next, so that
// a match takes one allocation.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "node/rules/filter_table.h"
#include "node/rules/match.h"
#include "node/rules/subscription_table.h"

namespace shoal {

class MatchBuilder {
 public:
  MatchBuilder(const FilterTable& filters, SubscriptionTable& subscriptions)
      : filters_(filters), subscriptions_(subscriptions) {}

  // In this order, for each match.
  void add_filters(std::span<const FilterId> matching);
  void add_groups(std::span<SharedGroup* const> groups);
  MatchPtr finish(std::string_view topic);

 private:
  struct Identifier {
    uint32_t target;  // position in targets_
    uint32_t value;
  };

  void add_subscribers(const Filter& filter, bool merge);
  uint32_t target_of(SessionIndex session, bool merge);
  void add_own_target(SessionIndex session, std::span<const FilterId> matching);
  void add_remote(NodeSlot node, uint64_t worker_mask);
  void place_identifiers(uint32_t* out);

  const FilterTable& filters_;
  SubscriptionTable& subscriptions_;
  std::vector<LocalTarget> targets_;
  std::vector<Identifier> identifiers_;
  std::vector<LocalTarget> own_targets_;
  std::vector<uint32_t> own_identifiers_;
  std::vector<RemoteTarget> remotes_;
  std::vector<SharedGroup*> groups_;
};

}  // namespace shoal
