#include "node/rules/shared_group.h"

#include <algorithm>
#include <utility>

#include "node/rules/subscription_table.h"

namespace shoal {
namespace {

uint16_t saturated(size_t count) {
  return static_cast<uint16_t>(std::min<size_t>(count, UINT16_MAX));
}

}  // namespace

bool Pace::is_fast(uint32_t tick, uint64_t done) {
  if (tick != tick_) {
    fast_ = done - done_ >= uint64_t{SharedGroup::kRow} * (tick - tick_);
    tick_ = tick;
    done_ = done;
  }
  return fast_;
}

RouteWeight SharedGroup::weight() const { return {.online = saturated(members_.size())}; }

template <class Visit>
void SharedGroup::for_each_place(std::span<const Place> excluded, Visit visit) const {
  const auto visit_unless_excluded = [&](Place place, RouteWeight weight) {
    if (std::find(excluded.begin(), excluded.end(), place) == excluded.end()) visit(place, weight);
  };
  visit_unless_excluded({kSelf, worker_}, weight());
  for (const PlaceWeight& each : places_) visit_unless_excluded(each.place, each.weight);
}

std::optional<Place> SharedGroup::pick(Random& random, std::span<const Place> excluded) const {
  for (const auto number : {&RouteWeight::online, &RouteWeight::offline}) {
    uint64_t total = 0;
    for_each_place(excluded, [&](Place, RouteWeight weight) { total += weight.*number; });
    if (total == 0) continue;
    uint64_t left = random.below(total);
    std::optional<Place> picked;
    for_each_place(excluded, [&](Place place, RouteWeight weight) {
      if (picked) return;
      if (left < weight.*number) {
        picked = place;
      } else {
        left -= weight.*number;
      }
    });
    return picked;
  }
  return std::nullopt;
}

std::optional<Place> SharedGroup::place_in_row(uint64_t publisher) {
  if (!goes_on(publisher)) return std::nullopt;
  if (row_.place != Place{kSelf, worker_}) --row_.left;  // else pick_member() counts
  return row_.place;
}

void SharedGroup::begin_row(uint64_t publisher, Place place) {
  if (all_busy_) row_ = {.publisher = publisher, .place = place, .left = kRow - 1};
}

void SharedGroup::add_member(const SharedMember& member, SubscriptionTable& table) {
  end_rows();
  table[member.subscription].next_of_filter = static_cast<uint32_t>(members_.size());
  members_.push_back(member);
}

void SharedGroup::remove_member(uint32_t position, SubscriptionTable& table) {
  end_rows();
  members_[position] = members_.back();
  table[members_[position].subscription].next_of_filter = position;
  members_.pop_back();
}

void SharedGroup::set_weight(Place place, RouteWeight weight) {
  end_rows();
  const auto it = std::find_if(places_.begin(), places_.end(),
                               [place](const PlaceWeight& each) { return each.place == place; });
  if (!weight.present()) {
    if (it != places_.end()) places_.erase(it);
  } else if (it != places_.end()) {
    it->weight = weight;
  } else {
    places_.push_back({place, weight});
  }
}

bool SharedGroup::remove_node(NodeSlot node) {
  end_rows();
  return std::erase_if(places_,
                       [node](const PlaceWeight& each) { return each.place.node == node; }) != 0;
}

}  // namespace shoal
