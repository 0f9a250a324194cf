#include "node/rules/match_builder.h"

#include <algorithm>

namespace shoal {
namespace {

void merge_into(LocalTarget& target, const SubscriptionOptions& options) {
  target.qos = std::max(target.qos, options.qos);
  target.retain_as_published |= options.retain_as_published;
  target.no_local |= options.no_local;
}

}  // namespace

// No filter has a session twice, so that merging is needed only between filters.
void MatchBuilder::add_filters(std::span<const FilterId> matching) {
  targets_.clear();
  identifiers_.clear();
  own_targets_.clear();
  own_identifiers_.clear();
  remotes_.clear();
  groups_.clear();
  const auto has_subscribers = [this](FilterId id) {
    return filters_[id].first_subscription != kNoIndex;
  };
  for (const FilterId id : matching) subscriptions_.prefetch(filters_[id].first_subscription);
  for (const FilterId id : matching)
    subscriptions_.prefetch_session(filters_[id].first_subscription);
  const bool merge = std::count_if(matching.begin(), matching.end(), has_subscribers) > 1;
  for (const FilterId id : matching) {
    add_subscribers(filters_[id], merge);
    filters_[id].places.for_each(
        [this](NodeSlot node, uint64_t worker_mask) { add_remote(node, worker_mask); });
  }
  if (!merge) return;
  for (const LocalTarget& target : targets_) {
    if (target.no_local) add_own_target(target.session, matching);
  }
}

void MatchBuilder::add_subscribers(const Filter& filter, bool merge) {
  SubscriptionId next = filter.first_subscription;
  while (next != kNoIndex) {
    const Subscription& subscription = subscriptions_[next];
    next = subscription.next_of_filter;
    const uint32_t target = target_of(subscription.session, merge);
    const SubscriptionOptions options = subscription.options();
    merge_into(targets_[target], options);
    if (options.identifier != 0) identifiers_.push_back({target, options.identifier});
  }
}

// A session's mark says where it stands in targets_, if it does: what the mark points at tells
// whether it is of this match, so that no mark is ever cleared.
uint32_t MatchBuilder::target_of(SessionIndex session, bool merge) {
  const uint32_t end = static_cast<uint32_t>(targets_.size());
  if (merge) {
    uint32_t& mark = subscriptions_.mark(session);
    if (mark < end && targets_[mark].session == session) return mark;
    mark = end;
  }
  targets_.push_back({.session = session});
  return end;
}

// What remains for a publisher's own messages without its No Local subscriptions.
void MatchBuilder::add_own_target(SessionIndex session, std::span<const FilterId> matching) {
  LocalTarget own{.session = session};
  own.identifiers_begin = static_cast<uint32_t>(own_identifiers_.size());
  bool any = false;
  for (const FilterId id : matching) {
    const SubscriptionId found =
        subscriptions_.find_plain(session, id, filters_[id].first_subscription);
    if (found == kNoIndex) continue;
    const SubscriptionOptions options = subscriptions_[found].options();
    if (options.no_local) continue;
    any = true;
    merge_into(own, options);
    if (options.identifier != 0) own_identifiers_.push_back(options.identifier);
  }
  own.identifiers_count = static_cast<uint32_t>(own_identifiers_.size()) - own.identifiers_begin;
  if (any) own_targets_.push_back(own);
}

void MatchBuilder::add_remote(NodeSlot node, uint64_t worker_mask) {
  for (RemoteTarget& known : remotes_) {
    if (known.node != node) continue;
    known.worker_mask |= worker_mask;
    return;
  }
  remotes_.push_back({worker_mask, node});
}

void MatchBuilder::add_groups(std::span<SharedGroup* const> groups) {
  groups_.insert(groups_.end(), groups.begin(), groups.end());
}

// Each target's together; then those of the own targets, which already are.
void MatchBuilder::place_identifiers(uint32_t* out) {
  for (const Identifier& each : identifiers_) ++targets_[each.target].identifiers_count;
  uint32_t end = 0;
  for (LocalTarget& target : targets_) {
    target.identifiers_begin = end;
    end += target.identifiers_count;
    target.identifiers_count = 0;
  }
  for (const Identifier& each : identifiers_) {
    LocalTarget& target = targets_[each.target];
    out[target.identifiers_begin + target.identifiers_count++] = each.value;
  }
  for (LocalTarget& own : own_targets_) own.identifiers_begin += end;
  std::copy(own_identifiers_.begin(), own_identifiers_.end(), out + end);
}

MatchPtr MatchBuilder::finish(std::string_view topic) {
  MatchPtr match = Match::create(
      {.groups = static_cast<uint32_t>(groups_.size()),
       .remotes = static_cast<uint32_t>(remotes_.size()),
       .targets = static_cast<uint32_t>(targets_.size()),
       .own_targets = static_cast<uint32_t>(own_targets_.size()),
       .identifiers = static_cast<uint32_t>(identifiers_.size() + own_identifiers_.size()),
       .topic = static_cast<uint32_t>(topic.size())});
  if (!identifiers_.empty()) place_identifiers(match->identifier_list());
  std::copy(groups_.begin(), groups_.end(), match->group_list());
  std::copy(remotes_.begin(), remotes_.end(), match->remote_list());
  std::copy(targets_.begin(), targets_.end(), match->target_list());
  std::copy(own_targets_.begin(), own_targets_.end(), match->own_target_list());
  std::copy(topic.begin(), topic.end(), match->topic_text());
  return match;
}

}  // namespace shoal
