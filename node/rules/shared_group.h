// A shared subscription: the members that are sessions of this worker, and how many members every
// other place has. A message goes to one place, and there to one member (5.0: 4.8.2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "node/rules/subscription.h"
#include "shoal/peers.h"
#include "shoal/random.h"
#include "shoal/types.h"

namespace shoal {

class SubscriptionTable;

struct SharedMember {
  SessionIndex session = 0;
  SubscriptionOptions options;
  uint32_t subscription = 0;  // the router's number of it
};

class SharedGroup {
 public:
  SharedGroup(std::string_view filter, WorkerIndex worker) : filter_(filter), worker_(worker) {}
  SharedGroup(const SharedGroup&) = delete;
  SharedGroup& operator=(const SharedGroup&) = delete;

  // The whole "$share/NAME/FILTER".
  std::string_view filter() const { return filter_; }

  // The place that delivers, {kSelf, this worker} among them: by chance, in proportion to its
  // members with a connection; where no place has such, to those without. None when only
  // `excluded` places have members.
  std::optional<Place> pick(Random& random, std::span<const Place> excluded = {}) const;

  // The member here that delivers: in turn. `skip(SessionIndex)` says which cannot take it now. Null: no
  // member that is not skipped.
  template <class Skip>
  const SharedMember* pick_member(Skip&& skip);
  // The same when all are busy: kRow messages to one member before the next has its turn, so that
  // what a publisher sent together is acknowledged together. One message at a time to each would
  // tear every publisher's batches to pieces, and each piece costs a read and a write.
  template <class Skip>
  const SharedMember* pick_member_in_rows(Skip&& skip);
  static constexpr uint32_t kRow = 16;

  // The members here, in no particular order.
  std::span<const SharedMember> members() const { return members_; }
  // What this worker tells the others.
  RouteWeight weight() const;

 private:
  friend class Router;
  struct PlaceWeight {
    Place place;
    RouteWeight weight;
  };

  template <class Visit>
  void for_each_place(std::span<const Place> excluded, Visit visit) const;

  // Each keeps the members' positions in `table` right.
  void add_member(const SharedMember& member, SubscriptionTable& table);
  void remove_member(uint32_t position, SubscriptionTable& table);

  void set_weight(Place place, RouteWeight weight);
  bool remove_node(NodeSlot node);
  bool wanted() const { return !members_.empty() || !places_.empty(); }

  std::vector<SharedMember> members_;
  std::vector<PlaceWeight> places_;  // the others
  std::string filter_;
  RouteWeight announced_;  // what the others know
  uint32_t next_ = 0;      // whose turn it is
  uint32_t row_ = 0;       // the same, in kRow parts each
  WorkerIndex worker_;
};

template <class Skip>
const SharedMember* SharedGroup::pick_member(Skip&& skip) {
  const uint32_t count = static_cast<uint32_t>(members_.size());
  for (uint32_t i = 0; i < count; ++i) {
    const SharedMember& member = members_[next_++ % count];
    if (!skip(member.session)) return &member;
  }
  return nullptr;
}

template <class Skip>
const SharedMember* SharedGroup::pick_member_in_rows(Skip&& skip) {
  const uint32_t count = static_cast<uint32_t>(members_.size());
  for (uint32_t i = 0; i < count; ++i) {
    const SharedMember& member = members_[row_ / kRow % count];
    if (!skip(member.session)) {
      ++row_;
      return &member;
    }
    row_ += kRow - row_ % kRow;
  }
  return nullptr;
}

}  // namespace shoal
