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

// Whether a member acknowledges so many messages that a row more or less is nothing to it: then it is
// busy also at the moment when all of them are acknowledged.
class Pace {
 public:
  // Asked at `tick` (100 ms), when it had acknowledged `done` since it began.
  bool is_fast(uint32_t tick, uint64_t done);

 private:
  uint64_t done_ = 0;  // at tick_
  uint32_t tick_ = 0;
  bool fast_ = false;
};

struct SharedMember {
  SessionIndex session = 0;
  SubscriptionOptions options;
  uint32_t subscription = 0;  // the router's number of it
  Pace pace{};
  bool slow = false;  // gets a message only where all members are slow or absent
};

// Of a message that has to be picked for again: where it was.
struct TriedPlaces {
  std::vector<Place> excluded;  // had it and could not place it
  int rounds = 0;               // how often all were
  Instant last;                 // when it was picked for
};

class SharedGroup {
 public:
  SharedGroup(std::string_view filter, WorkerIndex worker) : filter_(filter), worker_(worker) {}
  SharedGroup(const SharedGroup&) = delete;
  SharedGroup& operator=(const SharedGroup&) = delete;

  // The whole "$share/NAME/FILTER".
  std::string_view filter() const { return filter_; }

  // The place that delivers, {kSelf, this worker} among them: by chance, in proportion to its
  // members with a connection; where no place has such, to those without, or slow. None when only
  // `excluded` places have members.
  std::optional<Place> pick(Random& random, std::span<const Place> excluded = {}) const;
  // Once more, after those that were tried.
  std::optional<Place> pick_again(Random& random, TriedPlaces& tried, Instant now) const;
  // Whether some place has a member with a connection that is not slow.
  bool is_attended() const;

  struct Work {
    uint64_t open = 0;  // messages that a member has not acknowledged yet
    uint64_t done = 0;  // and those that it has, since it began
  };
  // A member with fewer open messages than this has little to do, unless it is fast.
  static constexpr uint32_t kBusy = 16;
  // Added to what is open of a member that cannot take a message now.
  static constexpr uint64_t kMustWait = uint64_t{1} << 32;

  // Where all have much to do, what one publisher sent together goes to one member, at most kRow
  // messages in a row: its publisher gets the acknowledgements back together, and sends the next
  // together. One message at a time to each would tear every publisher's batches to pieces, and each
  // piece costs a read and a write.
  static constexpr uint32_t kRow = 32;

  // The place of the row that goes on with this message of `publisher`.
  std::optional<Place> place_in_row(uint64_t publisher);
  // `place`, another one, was picked by chance for a message: a row begins there if the members here,
  // who get their share of the same messages, all have much to do.
  void begin_row(uint64_t publisher, Place place);

  // The member here that delivers: in turn one that has little to do, else the one of the row, or the
  // one with the least to do. `work_of(SessionIndex)` gives a member's Work. Null: no member.
  template <class WorkOf>
  const SharedMember* pick_member(uint64_t publisher, uint32_t tick, WorkOf&& work_of);

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

  struct Row {
    uint64_t publisher = 0;
    Place place;
    uint32_t member = 0;    // at this place: its position
    uint32_t left = 0;      // messages that may still be in it
    uint64_t open_max = 0;  // of the member
  };

  void end_rows() {
    row_ = {};
    all_busy_ = false;
  }
  bool goes_on(uint64_t publisher) const { return row_.left > 0 && row_.publisher == publisher; }
  template <class Visit>
  void for_each_place(std::span<const Place> excluded, Visit visit) const;
  std::optional<Place> pick_by(uint16_t RouteWeight::*number, Random& random,
                               std::span<const Place> excluded) const;

  // Each keeps the members' positions in `table` right.
  void add_member(const SharedMember& member, SubscriptionTable& table);
  void remove_member(uint32_t position, SubscriptionTable& table);

  void set_slow(uint32_t position, bool slow);
  void set_weight(Place place, RouteWeight weight);
  bool remove_node(NodeSlot node);
  bool wanted() const { return !members_.empty() || !places_.empty(); }

  std::vector<SharedMember> members_;
  std::vector<PlaceWeight> places_;  // the others
  std::string filter_;
  RouteWeight announced_;  // what the others know
  Row row_;
  bool all_busy_ = false;  // the members here, when one was picked last
  uint32_t next_ = 0;      // whose turn it is
  uint32_t slow_ = 0;      // of the members here
  WorkerIndex worker_;
};

template <class WorkOf>
const SharedMember* SharedGroup::pick_member(uint64_t publisher, uint32_t tick, WorkOf&& work_of) {
  const Place here{kSelf, worker_};
  if (goes_on(publisher) && row_.place == here &&
      work_of(members_[row_.member].session).open <= row_.open_max) {
    --row_.left;
    return &members_[row_.member];
  }
  end_rows();
  const uint32_t count = static_cast<uint32_t>(members_.size());
  const bool all_slow = slow_ == count;
  uint32_t least = count;
  uint64_t least_open = UINT64_MAX;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t position = next_++ % count;
    SharedMember& member = members_[position];
    if (member.slow && !all_slow) continue;
    const Work work = work_of(member.session);
    if (!member.pace.is_fast(tick, work.done) && work.open < kBusy) return &member;
    if (work.open >= least_open) continue;
    least = position;
    least_open = work.open;
  }
  if (least == count) return nullptr;
  all_busy_ = true;
  row_ = {.publisher = publisher,
          .place = here,
          .member = least,
          .left = kRow - 1,
          .open_max = least_open < kMustWait ? kMustWait - 1 : UINT64_MAX};
  return &members_[least];
}

}  // namespace shoal
