// Shared subscriptions (4.8.2): which member gets a message, and what becomes of one that its member does
// not take.
#include <algorithm>

#include "node/broker/core.h"

namespace shoal {
namespace {

constexpr int kRepickRoundsMax = 8;

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
  if (extra->ticket->owner != Ticket::For::kRemote) extra->ticket->message = p.reference();
  send_reliable(s, p, how, std::move(extra));
  return true;
}

// The session that was to get it is gone. A message of a shared subscription goes to another member,
// unless it has QoS 2 and was sent [MQTT5-4.8.2-5].
void Core::give_up_delivery(Delivery& delivery) {
  if (!delivery.extra || !delivery.extra->ticket) return;
  const bool was_sent = delivery.state != DeliveryState::kQueued;
  if (was_sent && delivery.qos == Qos::k2) return member_has_it(delivery);
  Ticket* const ticket = std::exchange(delivery.extra->ticket, nullptr);
  if (!ticket->message) {  // its origin picks again; one that we lost has done so already
    ticket->not_placed = true;
    return progress(ticket);
  }
  auto attempt = std::make_unique<SharedAttempt>();
  attempt->filter = std::move(delivery.extra->shared_filter);
  repicks_.push_back({ticket, std::move(attempt)});
}

// A member that could not be found, or went before it acknowledged: once more, elsewhere.
void Core::repick(Repick pick) {
  Ticket* const ticket = pick.ticket;
  Publication p;
  p.message = ticket->message;
  p.view = p.message->view();
  p.ticket = ticket;
  p.headers = &headers_[0];
  p.headers->reset();
  SharedAttempt& attempt = *pick.attempt;
  const Place here{kSelf, config_.worker};
  for (;;) {
    SharedGroup* const group = router_.find_group(attempt.filter);
    auto place = group ? group->pick(random_, attempt.excluded) : std::nullopt;
    // Where one member went there may be others. Or that place's word that it has none is still on
    // its way: so not for ever.
    if (!place && group && !attempt.excluded.empty() && attempt.rounds < kRepickRoundsMax) {
      ++attempt.rounds;
      attempt.excluded.clear();
      place = group->pick(random_);
    }
    if (!place) {
      drop(DropReason::kNoMember);
      break;
    }
    if (place->node == kShards) {
      publish_to_shards(p, uint64_t{1} << place->worker, attempt.filter);
      break;
    }
    if (*place != here) {
      send_to_place(p, *place, std::move(pick.attempt));
      break;
    }
    if (deliver_shared(p, *group, attempt.filter)) break;
    attempt.excluded.push_back(here);
  }
  progress(ticket);
}

}  // namespace shoal
