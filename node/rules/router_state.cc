#include "node/rules/router_state.h"

#include <algorithm>

#include "node/rules/topic.h"
#include "shoal/assert.h"

namespace shoal {

// ---- filters ------------------------------------------------------------------------------------

void Router::State::touch(FilterId id) {
  const Filter& filter = filters[id];
  const std::string_view text = filter.text.view();
  if (filter.wildcard) {
    generations.raise(text);
  } else if (Match* const match = cache.find(filters.hash(text), text)) {
    match->generation_ = Match::kOutOfDate;
  }
}

void Router::State::note_change(FilterId id) {
  Filter& filter = filters[id];
  if (filter.changed || weight_of(id) == announced_weight_of(id)) return;
  filter.changed = true;
  changed.push_back(id);
}

RouteWeight Router::State::weight_of(FilterId id) const {
  const Filter& filter = filters[id];
  if (filter.shared) return groups.find(id)->second->weight();
  return {.online = filter.first_subscription != kNoIndex};
}

RouteWeight Router::State::announced_weight_of(FilterId id) const {
  const Filter& filter = filters[id];
  if (filter.shared) return groups.find(id)->second->announced_;
  return {.online = filter.announced};
}

void Router::State::release_if_unused(FilterId id) {
  const Filter& filter = filters[id];
  const bool used = filter.changed || filter.has_groups || !filter.places.empty() ||
                    filter.first_subscription != kNoIndex ||
                    (filter.shared && group_of(id).wanted());
  if (used) return;
  if (filter.shared) {
    end_group(id);
  } else {
    filters.remove(id);
  }
}

// ---- shared subscriptions -----------------------------------------------------------------------

FilterId Router::State::find_or_add_filter(std::string_view text) {
  const FilterId id = filters.find_or_add(text);
  if (filters[id].shared && !groups.contains(id)) add_group(id);
  return id;
}

void Router::State::add_group(FilterId id) {
  const std::string_view text = filters[id].text.view();
  SharedGroup* const group =
      groups.emplace(id, std::make_unique<SharedGroup>(text, options.worker)).first->second.get();
  const FilterId on = filters.find_or_add(parse_shared(text)->filter);
  filters[on].has_groups = true;
  groups_on[on].push_back(group);
  touch(on);
}

void Router::State::end_group(FilterId id) {
  const auto ended = groups.find(id);
  const FilterId on = filters.find(parse_shared(filters[id].text.view())->filter);
  SHOAL_ASSERT(on != kNoIndex);
  const auto groups_here = groups_on.find(on);
  std::erase(groups_here->second, ended->second.get());
  touch(on);
  ended_groups.push_back(std::move(ended->second));
  groups.erase(ended);
  filters.remove(id);
  if (!groups_here->second.empty()) return;
  groups_on.erase(groups_here);
  filters[on].has_groups = false;
  release_if_unused(on);
}

SubscriptionId Router::State::find_shared(SessionIndex session, FilterId id) const {
  const SubscriptionTable::Session* const owner = subscriptions.session(session);
  if (owner == nullptr) return kNoIndex;
  SubscriptionId of_session = owner->first_shared;
  for (const SharedMember& member : groups.find(id)->second->members()) {
    if (of_session == kNoIndex) break;
    if (member.session == session) return member.subscription;
    if (subscriptions[of_session].filter == id) return of_session;
    of_session = subscriptions[of_session].next_of_session;
  }
  return kNoIndex;
}

// ---- subscriptions ------------------------------------------------------------------------------

SubscriptionId Router::State::find_subscription(SessionIndex session, FilterId id) const {
  if (filters[id].shared) return find_shared(session, id);
  return subscriptions.find_plain(session, id, filters[id].first_subscription);
}

void Router::State::add_subscription(SessionIndex session, FilterId id,
                                     const SubscriptionOptions& given) {
  const SubscriptionId added = subscriptions.add(session, id, filters[id], given);
  if (filters[id].shared) {
    group_of(id).add_member({session, given, added}, subscriptions);
  } else {
    touch(id);
  }
  note_change(id);
}

void Router::State::replace_subscription(SubscriptionId id, const SubscriptionOptions& given) {
  Subscription& subscription = subscriptions[id];
  subscription.set_options(given);
  if (filters[subscription.filter].shared) {
    group_of(subscription.filter).members_[subscription.next_of_filter].options = given;
  } else {
    touch(subscription.filter);
  }
}

void Router::State::remove_subscription(SubscriptionId id) {
  const FilterId of = subscriptions[id].filter;
  if (filters[of].shared) {
    group_of(of).remove_member(subscriptions[id].next_of_filter, subscriptions);
  } else {
    touch(of);
  }
  subscriptions.remove(id, filters[of]);
  note_change(of);
  release_if_unused(of);
}

// ---- routes -------------------------------------------------------------------------------------

void Router::State::add_route(Place place, const RouteChange& change) {
  const FilterId id = find_or_add_filter(change.filter);
  if (filters[id].shared) {
    group_of(id).set_weight(place, change.weight);
  } else if (filters[id].places.add(place)) {
    touch(id);
  }
}

void Router::State::remove_route(Place place, std::string_view text) {
  const FilterId id = filters.find(text);
  if (id == kNoIndex) return;
  if (filters[id].shared) {
    group_of(id).set_weight(place, {});
  } else if (filters[id].places.remove(place)) {
    touch(id);
  }
  release_if_unused(id);
}

// ---- messages -----------------------------------------------------------------------------------

MatchPtr Router::State::make_match(std::string_view topic, uint64_t hash) {
  matching.clear();
  filters.match(topic, hash, matching);
  builder.add_filters(matching);
  for (const FilterId id : matching) {
    if (filters[id].has_groups) builder.add_groups(groups_on.find(id)->second);
  }
  MatchPtr match = builder.finish(topic);
  match->hash_ = hash;
  match->cells_ = generations.cells_of(topic);
  match->generation_ = generations.sum(match->cells_);
  return match;
}

}  // namespace shoal
