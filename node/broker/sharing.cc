// Shared subscriptions (4.8.2): which member gets a message, and what becomes of one that its member does
// not take.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr Duration kMembersPeriod = Duration::seconds(1);

}  // namespace

void Core::route_shared(Publication& p, SharedGroup& group) {
  const auto row = group.place_in_row(p.view.publisher);
  const auto place = row ? row : group.pick(random_);
  if (!place) return drop(DropReason::kNoMember);
  if (*place == Place{kSelf, config_.worker}) {
    if (!deliver_shared(p, group, group.filter())) drop(DropReason::kNoMember);
    return;
  }
  if (place->node == kShards) {
    return publish_to_shards(p, uint64_t{1} << place->worker, group.filter());
  }
  auto attempt = std::make_unique<SharedAttempt>();
  attempt->filter = std::string(group.filter());
  send_to_place(p, *place, std::move(attempt));
  if (!row) group.begin_row(p.view.publisher, *place);
}

// To one member here. One that has little to do comes first, then one that can take it at once; of
// those that cannot, the one with the shortest queue.
bool Core::deliver_shared(Publication& p, SharedGroup& group, std::string_view filter) {
  const auto work_of = [this](SessionIndex index) {
    Session& s = session_at(index);
    const bool must_wait = !s.queue.empty() || !can_send(s);
    return SharedGroup::Work{
        .open = s.inflight.open() + (must_wait ? SharedGroup::kMustWait + s.queue.size() : 0),
        .done = s.inflight.first_number()};
  };
  const SharedMember* member = group.pick_member(p.view.publisher, tick_of(now_.mono), work_of);
  if (!member) return false;
  // Of the busy ones, one at QoS 0 whose output is full would lose it; another may keep it.
  const auto loses = [&](const SharedMember& each) {
    return std::min(p.view.qos, each.options.qos) == Qos::k0 &&
           session_at(each.session).connection->output.bytes() >= config_.limits.output_bytes_max;
  };
  const auto members = group.members();
  if (loses(*member)) {
    const auto keeper = std::find_if_not(members.begin(), members.end(), loses);
    if (keeper != members.end()) member = &*keeper;
  }
  Session& s = session_at(member->session);
  if (s.access && !s.access->may_receive(p.view.topic)) {
    drop(DropReason::kNotAllowed);
    return true;
  }
  Outgoing how;
  how.qos = std::min(p.view.qos, member->options.qos);  // [MQTT5-4.8.2-3]
  how.retain = member->options.retain_as_published && p.view.retain;
  if (member->options.identifier) how.identifiers = {&member->options.identifier, 1};
  if (how.qos == Qos::k0) {
    send_unreliable(s, p, how);
    return true;
  }
  auto extra = std::make_unique<DeliveryExtra>();
  extra->shared_filter = std::string(filter);
  extra->identifiers.assign(how.identifiers.begin(), how.identifiers.end());
  // It is not safe with this session before the client has it.
  extra->ticket = ticket_of(p);
  ++extra->ticket->pending;
  ++extra->ticket->members;
  if (extra->ticket->owner != Ticket::For::kRemote) extra->ticket->message = p.reference();
  if (!s.watched) watch_member(s);
  send_reliable(s, p, how, std::move(extra));
  return true;
}

// The session that was to get it is gone. A message of a shared subscription goes to another member,
// unless it has QoS 2 and was sent [MQTT5-4.8.2-5].
void Core::give_up_delivery(Delivery& delivery) {
  if (!delivery.extra || !delivery.extra->ticket) return;
  const bool was_sent = delivery.state != DeliveryState::kQueued;
  if (was_sent && delivery.qos == Qos::k2) return member_has_it(delivery);
  pick_elsewhere(delivery);
}

void Core::pick_elsewhere(Delivery& delivery) {
  Ticket* const ticket = std::exchange(delivery.extra->ticket, nullptr);
  if (!ticket->message) {  // its origin picks again; one that we lost has done so already
    ticket->not_placed = true;
    return progress_member(ticket);
  }
  auto attempt = std::make_unique<SharedAttempt>();
  attempt->filter = std::move(delivery.extra->shared_filter);
  repicks_.push_back({ticket, std::move(attempt)});
}

// A member that could not be found, or did not acknowledge: once more, elsewhere.
void Core::repick(Repick pick) {
  Ticket* const ticket = pick.ticket;
  Publication p;
  p.message = ticket->message;
  p.view = p.message->view();
  p.ticket = ticket;
  p.headers = &headers_[0];
  p.headers->reset();
  if (p.view.expires_at <= now_.mono) {  // [MQTT5-3.3.2-5]
    drop(DropReason::kExpired);
  } else if (!deliver_again(p, pick)) {
    drop(DropReason::kNoMember);
  }
  progress_member(ticket);
}

bool Core::deliver_again(Publication& p, Repick& pick) {
  SharedAttempt& attempt = *pick.attempt;
  const Place here{kSelf, config_.worker};
  for (;;) {
    SharedGroup* const group = router_.find_group(attempt.filter);
    const auto place = group ? group->pick_again(random_, attempt.tried, now_.mono) : std::nullopt;
    if (!place) return false;
    if (place->node == kShards) {
      publish_to_shards(p, uint64_t{1} << place->worker, attempt.filter);
      return true;
    }
    if (*place != here) {
      send_to_place(p, *place, std::move(pick.attempt));
      return true;
    }
    if (deliver_shared(p, *group, attempt.filter)) return true;
    attempt.tried.excluded.push_back(here);
  }
}

void Core::progress_member(Ticket* ticket) {
  SHOAL_ASSERT(ticket->members > 0);
  --ticket->members;
  progress(ticket);
}

// ---- members that do not acknowledge ----------------------------------------------------------------

// A member whose oldest message stays unacknowledged for slow_timeout is slow until it has caught up. A
// worker may take its time over a message, so it keeps its connection, and what it was sent. But
// nobody waits for it where another may do as well: it is picked last, as an absent one, here and at
// all other places; what it was not sent yet is picked again, and, once it takes more than twice the
// longest that it ever took over a message, what it was sent at QoS 1 as well. (A worker that takes a
// minute for each thus gets a few twice, and then no more.)
//
// It is the oldest message that tells, not the age of each: of members with much to do, who go on
// acknowledging, all would come twice. They are looked at once a second, so that a message costs
// nothing.
void Core::watch_member(Session& s) {
  s.watched = true;
  watched_.push_back({.session = s.index,
                      .generation = s.generation,
                      .oldest = s.inflight.first_number(),
                      .since = now_.mono,
                      .longest = {}});
}

void Core::check_members() {
  if (now_.mono < members_due_) return;
  members_due_ = now_.mono + kMembersPeriod;
  std::erase_if(watched_, [this](MemberWatch& watch) {
    Session* const s = sessions_.find(watch.session, watch.generation);
    if (!s || !s->connection) return true;
    check_member(*s, watch);
    return false;
  });
}

void Core::check_member(Session& s, MemberWatch& watch) {
  const bool is_idle = s.inflight.empty() && s.queue.empty();
  const Duration stands = now_.mono - watch.since;
  if (is_idle || watch.oldest != s.inflight.first_number()) {
    watch.longest = std::max(watch.longest, stands);
    watch.oldest = s.inflight.first_number();
    watch.since = now_.mono;
    set_slow(s, s.slow && !has_caught_up(s));
    return;
  }
  if (stands < config_.limits.slow_timeout) return;
  relieve(s);
  if (stands >= watch.longest * 2) hand_on_sent(s);
}

bool Core::has_caught_up(const Session& s) const {
  if (s.inflight.empty()) return true;
  return s.inflight[0].sent_at > tick_of(now_.mono - config_.limits.slow_timeout);
}

void Core::set_slow(Session& s, bool slow) {
  if (s.slow == slow) return;
  s.slow = slow;
  router_.set_slow(s.index, slow);
  if (!slow) return;
  log(LogEvent::Kind::kSlowMember, *s.connection, ReasonCode::kSuccess, "others are picked first");
}

// What it was not sent yet goes to others.
void Core::relieve(Session& s) {
  set_slow(s, true);
  if (s.dismissed) return;
  for (uint32_t left = s.queue.size(); left > 0; --left) {
    Delivery delivery = s.queue.pop_front();
    if (!may_go_elsewhere(delivery)) {
      s.queue.push_back(std::move(delivery));
      continue;
    }
    ++s.queue_begin;
    count_queued(s, delivery, false);
    pick_elsewhere(delivery);
    ++counters_.handed_on;
  }
  release_withheld(s);
}

// At QoS 2 nobody else may have it while its session lives [MQTT5-4.8.2-4].
void Core::hand_on_sent(Session& s) {
  if (s.dismissed) return;
  const uint32_t limit = tick_of(now_.mono - config_.limits.slow_timeout);
  for (uint32_t i = 0; i < s.inflight.span(); ++i) {
    Delivery& delivery = s.inflight[i];
    if (delivery.state != DeliveryState::kPublished || !may_go_elsewhere(delivery)) continue;
    if (delivery.qos == Qos::k2) continue;
    if (delivery.extra->first_sent_at > limit) continue;
    pick_elsewhere(delivery);
    ++counters_.handed_on;
  }
}

// There is a member that may do better, and somebody to pick it.
bool Core::may_go_elsewhere(const Delivery& delivery) {
  if (!delivery.extra || !delivery.extra->ticket) return false;
  const Ticket& ticket = *delivery.extra->ticket;
  if (!ticket.message && ticket.owner != Ticket::For::kRemote) return false;
  const SharedGroup* const group = router_.find_group(delivery.extra->shared_filter);
  return group && group->is_attended();
}

}  // namespace shoal
