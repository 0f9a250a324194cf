#include "node/rules/shared_group.h"

#include <algorithm>
#include <utility>

#include "node/rules/subscription_table.h"

namespace shoal {
namespace {

// A place that answers after this time has a member that had the message.
constexpr Duration kRoundsTime = Duration::seconds(1);
constexpr int kRoundsMax = 8;

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

// A slow member is as one without a connection.
RouteWeight SharedGroup::weight() const {
  return {.online = saturated(members_.size() - slow_), .offline = saturated(slow_)};
}

template <class Visit>
void SharedGroup::for_each_place(std::span<const Place> excluded, Visit visit) const {
  const auto visit_unless_excluded = [&](Place place, RouteWeight weight) {
    if (std::find(excluded.begin(), excluded.end(), place) == excluded.end()) visit(place, weight);
  };
  visit_unless_excluded({kSelf, worker_}, weight());
  for (const PlaceWeight& each : places_) visit_unless_excluded(each.place, each.weight);
}

std::optional<Place> SharedGroup::pick_by(uint16_t RouteWeight::*number, Random& random,
                                          std::span<const Place> excluded) const {
  uint64_t total = 0;
  for_each_place(excluded, [&](Place, RouteWeight weight) { total += weight.*number; });
  if (total == 0) return std::nullopt;
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

std::optional<Place> SharedGroup::pick(Random& random, std::span<const Place> excluded) const {
  const auto place = pick_by(&RouteWeight::online, random, excluded);
  return place ? place : pick_by(&RouteWeight::offline, random, excluded);
}

// Where one member could not take it there may be others, and they come before those without a
// connection elsewhere. Or that place's word that it has none is still on its way: so not for ever.
std::optional<Place> SharedGroup::pick_again(Random& random, TriedPlaces& tried,
                                             Instant now) const {
  if (now - tried.last >= kRoundsTime) tried.rounds = 0;
  tried.last = now;
  for (const auto number : {&RouteWeight::online, &RouteWeight::offline}) {
    if (const auto place = pick_by(number, random, tried.excluded)) return place;
    if (tried.excluded.empty() || tried.rounds == kRoundsMax) continue;
    if (const auto place = pick_by(number, random, {})) {
      ++tried.rounds;
      tried.excluded.clear();
      return place;
    }
  }
  return std::nullopt;
}

bool SharedGroup::is_attended() const {
  return members_.size() > slow_ ||
         std::any_of(places_.begin(), places_.end(),
                     [](const PlaceWeight& each) { return each.weight.online > 0; });
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
  slow_ -= members_[position].slow;
  members_[position] = members_.back();
  table[members_[position].subscription].next_of_filter = position;
  members_.pop_back();
}

void SharedGroup::set_slow(uint32_t position, bool slow) {
  SharedMember& member = members_[position];
  if (member.slow == slow) return;
  end_rows();
  member.slow = slow;
  slow_ = slow ? slow_ + 1 : slow_ - 1;
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
