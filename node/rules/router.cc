#include "node/rules/router.h"

#include "node/rules/router_state.h"
#include "shoal/assert.h"

namespace shoal {

Router::Router(const Options& options) : state_(std::make_unique<State>(options)) {}
Router::~Router() = default;

// ---- sessions of this worker --------------------------------------------------------------------

SubscribeResult Router::subscribe(SessionIndex session, std::string_view filter,
                                  const SubscriptionOptions& options) {
  State& state = *state_;
  const FilterId id = state.find_or_add_filter(filter);
  const SubscriptionId known = state.find_subscription(session, id);
  const bool existed = known != kNoIndex;
  if (existed) {
    state.replace_subscription(known, options);
  } else {
    state.add_subscription(session, id, options);
  }
  return {.existed = existed, .announces = state.weight_of(id) != state.announced_weight_of(id)};
}

bool Router::unsubscribe(SessionIndex session, std::string_view filter) {
  const FilterId id = state_->filters.find(filter);
  if (id == kNoIndex) return false;
  const SubscriptionId found = state_->find_subscription(session, id);
  if (found == kNoIndex) return false;
  state_->remove_subscription(found);
  return true;
}

void Router::drop_session(SessionIndex session) {
  State& state = *state_;
  if (state.subscriptions.session(session) == nullptr) return;
  SubscriptionTable::Session& owner = state.subscriptions.session_of(session);
  while (owner.first_plain != kNoIndex) state.remove_subscription(owner.first_plain);
  while (owner.first_shared != kNoIndex) state.remove_subscription(owner.first_shared);
}

uint32_t Router::subscription_count(SessionIndex session) const {
  const SubscriptionTable::Session* const owner = state_->subscriptions.session(session);
  return owner == nullptr ? 0 : owner->count;
}

bool Router::has_subscription(SessionIndex session, std::string_view filter) const {
  const FilterId id = state_->filters.find(filter);
  return id != kNoIndex && state_->find_subscription(session, id) != kNoIndex;
}

std::optional<SubscriptionOptions> Router::subscription(SessionIndex session,
                                                        std::string_view filter) const {
  const FilterId id = state_->filters.find(filter);
  if (id == kNoIndex) return std::nullopt;
  const SubscriptionId found = state_->find_subscription(session, id);
  if (found == kNoIndex) return std::nullopt;
  return state_->subscriptions[found].options();
}

void Router::for_each_subscription(
    SessionIndex session,
    const std::function<void(std::string_view, const SubscriptionOptions&)>& visit) const {
  const State& state = *state_;
  const SubscriptionTable::Session* const owner = state.subscriptions.session(session);
  if (owner == nullptr) return;
  for (const SubscriptionId first : {owner->first_plain, owner->first_shared}) {
    for (SubscriptionId id = first; id != kNoIndex;) {
      const Subscription& subscription = state.subscriptions[id];
      visit(state.filters[subscription.filter].text.view(), subscription.options());
      id = subscription.next_of_session;
    }
  }
}

void Router::set_slow(SessionIndex session, bool slow) {
  State& state = *state_;
  const SubscriptionTable::Session* const owner = state.subscriptions.session(session);
  if (owner == nullptr) return;
  for (SubscriptionId id = owner->first_shared; id != kNoIndex;) {
    const Subscription& subscription = state.subscriptions[id];
    state.group_of(subscription.filter).set_slow(subscription.next_of_filter, slow);
    state.note_change(subscription.filter);
    id = subscription.next_of_session;
  }
}

// ---- routes -------------------------------------------------------------------------------------

std::vector<RouteChange> Router::take_route_changes() {
  State& state = *state_;
  std::vector<RouteChange> changes;
  for (const FilterId id : state.changed) {
    Filter& filter = state.filters[id];
    const RouteWeight weight = state.weight_of(id);
    if (weight != state.announced_weight_of(id)) {
      changes.push_back({std::string(filter.text.view()), weight});
    }
    filter.changed = false;
    if (filter.shared) {
      state.group_of(id).announced_ = weight;
    } else {
      filter.announced = weight.present();
    }
    state.release_if_unused(id);
  }
  state.changed.clear();
  return changes;
}

void Router::apply(const PlacedRoute& route) {
  const Place place = route.place;
  SHOAL_ASSERT(place.worker < kWorkersMax);
  SHOAL_ASSERT((place != Place{kSelf, state_->options.worker}));
  if (route.change.weight.present()) {
    state_->add_route(place, route.change);
  } else {
    state_->remove_route(place, route.change.filter);
  }
}

void Router::drop_node(NodeSlot node) {
  State& state = *state_;
  state.generations.raise_all();
  for (FilterId id = 0; id < state.filters.end(); ++id) {
    Filter& filter = state.filters[id];
    if (!filter.text) continue;
    const bool had = filter.shared ? state.group_of(id).remove_node(node)  //
                                   : filter.places.remove_node(node);
    if (had) state.release_if_unused(id);
  }
}

// ---- messages -----------------------------------------------------------------------------------

const Match& Router::match(std::string_view topic) {
  State& state = *state_;
  ++state.matches;
  const uint64_t hash = state.filters.hash(topic);
  const Match* const known = state.cache.find(hash, topic);
  if (known != nullptr && known->generation_ == state.generations.sum(known->cells_)) {
    ++state.matches_cached;
    return *known;
  }
  const Match& made = state.cache.put(state.make_match(topic, hash));
  state.ended_groups.clear();
  return made;
}

SharedGroup* Router::find_group(std::string_view filter) {
  const FilterId id = state_->filters.find(filter);
  if (id == kNoIndex || !state_->filters[id].shared) return nullptr;
  return &state_->group_of(id);
}

Router::Counts Router::counts() const {
  return {.filters = state_->filters.size(),
          .subscriptions = state_->subscriptions.size(),
          .shared_groups = state_->groups.size(),
          .matches = state_->matches,
          .matches_cached = state_->matches_cached,
          .cached_topics = state_->cache.topics(),
          .cached_bytes = state_->cache.bytes()};
}

}  // namespace shoal
