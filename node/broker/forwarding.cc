// To and from other places. What a worker sends to one node in a turn is one batch; numbered messages
// in it are expected back as acceptances, one from each worker that they were for.
#include <algorithm>
#include <bit>

#include "node/broker/core.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

Lane& Core::lane_of(NodeSlot node) {
  while (lanes_.size() <= node) lanes_.push_back(std::make_unique<Lane>(config_.worker));
  return *lanes_[node];
}

// ---- out --------------------------------------------------------------------------------------------

void Core::forward(Publication& p, const RemoteTarget& target) {
  Lane& lane = lane_of(target.node);
  if (!lane.up) return;
  if (lane.congested) {
    if (p.view.qos == Qos::k0) return drop(DropReason::kPeerCongested);
    if (Connection* const c = find(p.conn)) {
      pause(*c, kPauseCongested);
      lane.paused.push_back(c->id);
    }
  }
  const uint64_t number =
      is_large(p) ? lane.writer.append_large(p.reference(), target.worker_mask, {}, now_.mono)
                  : lane.writer.append(p.view, target.worker_mask, {}, now_.mono);
  ++(target.node == kSelf ? counters_.forwarded_local : counters_.forwarded);
  if (number != 0) expect(p, lane, number, target.worker_mask, nullptr);
}

// A pick is a record of its own, so that its answer says which pick failed.
void Core::send_to_place(Publication& p, Place place, std::unique_ptr<SharedAttempt> attempt) {
  Lane& lane = lane_of(place.node);
  if (!lane.up) return drop(DropReason::kNoMember);
  if (lane.congested && p.view.qos == Qos::k0) return drop(DropReason::kPeerCongested);
  const SharedPick pick{place.worker, attempt->filter};
  const uint64_t number = is_large(p)
                              ? lane.writer.append_large(p.reference(), 0, {&pick, 1}, now_.mono)
                              : lane.writer.append(p.view, 0, {&pick, 1}, now_.mono);
  ++(place.node == kSelf ? counters_.forwarded_local : counters_.forwarded);
  if (number == 0) return;
  ticket_of(p)->message = p.reference();
  expect(p, lane, number, uint64_t{1} << place.worker, std::move(attempt));
}

void Core::expect(Publication& p, Lane& lane, uint64_t number, uint64_t workers,
                  std::unique_ptr<SharedAttempt> attempt) {
  SHOAL_ASSERT(number == lane.first + lane.expected.size());
  if (SHOAL_MUTATED("acknowledge-before-accepted")) {
    lane.expected.push_back({nullptr, 0, nullptr});
    return;
  }
  Ticket* const ticket = ticket_of(p);
  ++ticket->pending;
  if (attempt) ++ticket->members;
  lane.expected.push_back({ticket, workers, std::move(attempt)});
}

void Core::flush_lanes() {
  for (NodeSlot node = 0; node < lanes_.size(); ++node) {
    Lane& lane = *lanes_[node];
    if (lane.consumed > 0) {
      current_.to_hub.push_back(ForwardConsumed{node, std::exchange(lane.consumed, 0)});
    }
    if (lane.writer.empty()) continue;
    batches_scratch_.clear();
    lane.writer.finish(batches_scratch_);
    for (ForwardBatchRef& batch : batches_scratch_) {
      if (node != kSelf) {
        current_.to_hub.push_back(ForwardOut{node, std::move(batch)});
        continue;
      }
      for (uint64_t left = batch->worker_mask; left != 0; left &= left - 1) {
        const auto worker = static_cast<WorkerIndex>(std::countr_zero(left));
        current_.to_workers.push_back({worker, ForwardIn{kSelf, batch}});
      }
    }
  }
  batches_scratch_.clear();
}

// ---- in ---------------------------------------------------------------------------------------------

void Core::on_forward_in(const ForwardIn& in) {
  ForwardBatchReader reader(*in.batch, now_.mono);
  ForwardRecord record;
  while (reader.next(record)) on_record(in, record);
  SHOAL_ASSERT(reader.ok());  // the hub has checked what comes from another node
  if (in.node != kSelf && in.node != kShards) lane_of(in.node).consumed += in.batch->bytes();
}

void Core::on_record(const ForwardIn& in, ForwardRecord& record) {
  Publication p;
  p.view = record.message;
  p.message = std::move(record.large);
  p.headers = &headers_[0];
  p.headers->reset();
  p.waits = Ticket::For::kRemote;
  p.origin = {in.node, in.batch->origin_worker};
  p.number = record.number;
  p.since = now_.mono;
  bool mine = (record.worker_mask >> config_.worker) & 1;
  const bool expired = p.view.expires_at <= now_.mono;
  if (mine && !expired) {
    const Match& match = router_.match(p.view.topic);
    for (const LocalTarget& target : match.targets()) deliver(p, match, target);
  }
  for (SharedPick pick; record.picks.next(pick);) {
    if (pick.worker != config_.worker) continue;
    mine = true;
    if (expired) continue;
    SharedGroup* const group = router_.find_group(pick.filter);
    if (group && deliver_shared(p, *group, pick.filter)) continue;
    if (p.number != 0) ticket_of(p)->not_placed = true;
    if (p.number == 0) drop(DropReason::kNoMember);
  }
  if (!mine) return;
  ++counters_.forwards_in;
  if (expired) drop(DropReason::kExpired);  // [MQTT5-3.3.2-5]
  finish_routing(p);
}

// ---- acceptances ------------------------------------------------------------------------------------

void Core::flush_acceptances() {
  if (acceptances_.empty()) return;
  for (AcceptanceBook::Page& page : acceptances_.take()) {
    if (page.origin.node == kSelf) {
      const Place here{kSelf, config_.worker};
      current_.to_workers.push_back({page.origin.worker, AcceptIn{here, std::move(page.ranges)}});
    } else {
      current_.to_hub.push_back(AcceptOut{page.origin, std::move(page.ranges)});
    }
  }
}

void Core::on_accept_in(const AcceptIn& in) {
  Lane& lane = lane_of(in.from.node);
  for (const AcceptedRange& range : in.ranges) {
    const uint64_t begin = std::max(range.first, lane.first);
    const uint64_t end = std::min(range.last + 1, lane.first + lane.expected.size());
    for (uint64_t number = begin; number < end; ++number) {
      accept_one(lane, lane.expected[static_cast<uint32_t>(number - lane.first)], in.from,
                 range.acceptance);
    }
  }
  while (!lane.expected.empty() && lane.expected.front().workers == 0) {
    lane.expected.pop_front();
    ++lane.first;
  }
}

void Core::accept_one(Lane&, Expected& expected, Place from, Acceptance acceptance) {
  const uint64_t bit = uint64_t{1} << from.worker;
  if (!(expected.workers & bit)) return;  // another node's bytes: believed only as far as they fit
  expected.workers &= ~bit;
  const bool is_placed =
      acceptance != Acceptance::kNotPlaced || SHOAL_MUTATED("not-placed-is-accepted");
  if (!is_placed && expected.shared) {
    expected.shared->tried.excluded.push_back(from);
    repicks_.push_back({expected.ticket, std::move(expected.shared)});
  } else if (expected.workers == 0) {
    progress(expected);
  }
}

void Core::progress(const Expected& expected) {
  if (expected.shared) return progress_member(expected.ticket);
  progress(expected.ticket);
}

// ---- peers ------------------------------------------------------------------------------------------

void Core::on_peer_up(NodeSlot node) {
  SHOAL_ASSERT(node != kSelf);
  lane_of(node).up = true;
}

// Nobody there is waited for any more. Numbers go on: a late answer to an old one finds nothing.
void Core::on_peer_down(NodeSlot node) {
  SHOAL_ASSERT(node != kSelf);
  Lane& lane = lane_of(node);
  lane.up = false;
  on_congested({node, false});
  const uint64_t unsent = drop_unsent(lane);
  router_.drop_node(node);
  while (!lane.expected.empty()) {
    Expected expected = lane.expected.pop_front();
    const bool was_sent = lane.first++ < unsent;
    if (expected.workers == 0) continue;
    // The member there may have it: at QoS 2 nobody else may get it then [MQTT5-4.8.2-5], and what is
    // large waits at QoS 0 too, where it comes at most once.
    const bool is_taken =
        was_sent && expected.ticket->qos != Qos::k1 && !SHOAL_MUTATED("taken-is-picked-again");
    if (expected.shared && !is_taken) {
      repicks_.push_back({expected.ticket, std::move(expected.shared)});
    } else {
      progress(expected);
    }
  }
  // A later life of that node counts anew: nothing may answer it for this one.
  acceptances_.forget(node);
  for (Ticket* ticket = tickets_.oldest(); ticket; ticket = ticket->next) {
    if (ticket->owner == Ticket::For::kRemote && ticket->origin.node == node) {
      ticket->owner = Ticket::For::kNobody;
    }
  }
}

// What the turn has written for a node that is not there any more. Returns the number of the first
// message that never left.
uint64_t Core::drop_unsent(Lane& lane) {
  uint64_t first = lane.first + lane.expected.size();
  batches_scratch_.clear();
  lane.writer.finish(batches_scratch_);
  for (const ForwardBatchRef& batch : batches_scratch_) {
    if (batch->first_number != 0) first = std::min(first, batch->first_number);
  }
  batches_scratch_.clear();
  return first;
}

void Core::on_congested(const PeerCongested& mail) {
  Lane& lane = lane_of(mail.node);
  lane.congested = mail.congested;
  if (mail.congested) return;
  for (const ConnId conn : std::exchange(lane.paused, {})) {
    if (Connection* const c = find(conn)) unpause(*c, kPauseCongested);
  }
}

}  // namespace shoal
