#include "cluster/core/claims.h"

#include <algorithm>
#include <utility>

namespace shoal {
namespace {

constexpr int kClaimsOfOneFrame = 500;

Stamp stamp_of(const Pair& pair, uint64_t counter) { return {counter, pair.id()}; }

}  // namespace

// ---- workers ------------------------------------------------------------------------------------

void Claims::on_request(WorkerIndex from, ClaimRequest&& request, bool available) {
  Pending pending{.conn = request.conn,
                  .worker = from,
                  .stamp = {},
                  .clean_start = request.clean_start,
                  .waits = {},
                  .waits_for_us = false};
  const std::string client_id = std::move(request.client_id);
  if (!available) return answer(client_id, pending, ClaimAnswer::Outcome::kUnavailable);
  supersede(client_id);
  const auto held = held_.find(client_id);
  if (held != held_.end() && held->second.worker != from) {
    if (!request.clean_start) {
      return answer(client_id, pending, ClaimAnswer::Outcome::kMoved, held->second.worker);
    }
    evict(client_id, held->second, true);
    pending.waits_for_us = true;
  }
  pending.stamp = context_.next_stamp();
  ask_peers(client_id, pending);
  pending_.insert_or_assign(client_id, std::move(pending));
  grant_if_free(client_id);
}

void Claims::on_release(const ClaimRelease& release) { forget(release.client_id, release.stamp); }

void Claims::on_evicted(const EvictDone& done) { forget(done.client_id, done.stamp); }

void Claims::on_all_closed() {
  held_.clear();
  pending_.clear();
  owed_.clear();
}

void Claims::ask_peers(const std::string& client_id, Pending& pending) {
  proto::Claim claim;
  claim.set_client_id(client_id);
  claim.set_counter(pending.stamp.counter);
  claim.set_clean_start(pending.clean_start);
  claim.set_answered(true);
  for (Pair* const pair : peers_()) {
    pair->send(FrameKind::kClaim, claim);
    if (is_heard(*pair)) pending.waits.insert(pair->id());
  }
}

void Claims::evict(const std::string& client_id, const Held& held, bool clean_start) {
  context_.mail(bit_of(held.worker), Evict{client_id, held.stamp, clean_start});
}

void Claims::answer(const std::string& client_id, const Pending& pending,
                    ClaimAnswer::Outcome outcome, WorkerIndex worker) {
  context_.mail(bit_of(pending.worker),
                ClaimAnswer{pending.conn, client_id, outcome, pending.stamp, worker});
}

// A later claim has come: the one that waits is void.
void Claims::supersede(const std::string& client_id) {
  const auto it = pending_.find(client_id);
  if (it == pending_.end()) return;
  answer(client_id, it->second, ClaimAnswer::Outcome::kSuperseded);
  pending_.erase(it);
}

void Claims::grant_if_free(const std::string& client_id) {
  const auto it = pending_.find(client_id);
  if (it == pending_.end() || it->second.waits_for_us || !it->second.waits.empty()) return;
  held_.insert_or_assign(client_id, Held{it->second.stamp, it->second.worker});
  answer(client_id, it->second, ClaimAnswer::Outcome::kGranted);
  pending_.erase(it);
}

// Nothing of this claim is left at its worker.
void Claims::forget(const std::string& client_id, const Stamp& stamp) {
  const auto it = held_.find(client_id);
  if (it == held_.end() || it->second.stamp != stamp) return;
  held_.erase(it);
  if (const auto pending = pending_.find(client_id); pending != pending_.end()) {
    pending->second.waits_for_us = false;
  }
  pay_replies(client_id);
  grant_if_free(client_id);
}

// ---- peers --------------------------------------------------------------------------------------

// A silent peer is not waited for: if it lives, it is cut off, and the later claim wins afterwards.
bool Claims::is_heard(const Pair& pair) const {
  const Limits& limits = context_.config.limits;
  return context_.now.mono - pair.last_heard <= limits.lease + limits.lease_margin;
}

void Claims::on_tick() {
  if (pending_.empty()) return;
  std::set<NodeId> silent;
  for (const Pair* const pair : peers_()) {
    if (!is_heard(*pair)) silent.insert(pair->id());
  }
  if (silent.empty()) return;
  std::vector<std::string> freed;
  for (auto& [client_id, pending] : pending_) {
    const size_t removed =
        std::erase_if(pending.waits, [&](NodeId id) { return silent.contains(id); });
    if (removed != 0) freed.push_back(client_id);
  }
  for (const std::string& client_id : freed) grant_if_free(client_id);
}

void Claims::on_open(Pair& pair) {
  std::vector<std::pair<std::string, uint64_t>> all;
  for (const auto& [client_id, held] : held_) all.emplace_back(client_id, held.stamp.counter);
  for (const auto& [client_id, pending] : pending_) {
    all.emplace_back(client_id, pending.stamp.counter);
  }
  // The table has no order of its own that two runs would share.
  std::sort(all.begin(), all.end());
  proto::Claims message;
  for (const auto& [client_id, counter] : all) {
    proto::Claim* const claim = message.add_claims();
    claim->set_client_id(client_id);
    claim->set_counter(counter);
    if (message.claims_size() < kClaimsOfOneFrame) continue;
    pair.send(FrameKind::kClaims, message);
    message.Clear();
  }
  if (message.claims_size() != 0) pair.send(FrameKind::kClaims, message);
}

void Claims::on_end(const Pair& pair) {
  std::vector<std::string> freed;
  for (auto& [client_id, pending] : pending_) {
    if (pending.waits.erase(pair.id()) != 0) freed.push_back(client_id);
  }
  for (auto& [client_id, owed] : owed_) {
    std::erase_if(owed, [&](const OwedReply& one) { return one.peer == pair.id(); });
  }
  for (const std::string& client_id : freed) grant_if_free(client_id);
}

bool Claims::give_way(const std::string& client_id, const Stamp& theirs, bool clean_start,
                      uint64_t& later_counter) {
  later_counter = 0;
  if (const auto it = pending_.find(client_id); it != pending_.end()) {
    if (it->second.stamp > theirs) {
      later_counter = it->second.stamp.counter;
      return true;
    }
    supersede(client_id);
  }
  const auto held = held_.find(client_id);
  if (held == held_.end()) return true;
  if (held->second.stamp > theirs) {
    later_counter = held->second.stamp.counter;
    return true;
  }
  evict(client_id, held->second, clean_start);
  return false;
}

bool Claims::on_claim(Pair& pair, const proto::Claim& claim) {
  context_.see_counter(claim.counter());
  uint64_t later = 0;
  const std::string& client_id = claim.client_id();
  const bool is_free =
      give_way(client_id, stamp_of(pair, claim.counter()), claim.clean_start(), later);
  if (!claim.answered()) return true;
  if (is_free) {
    reply(pair, client_id, claim.counter(), later);
  } else {
    owed_[client_id].push_back({pair.id(), claim.counter()});
  }
  return true;
}

bool Claims::on_claims(Pair& pair, const proto::Claims& claims) {
  for (const proto::Claim& claim : claims.claims()) {
    context_.see_counter(claim.counter());
    uint64_t later = 0;
    give_way(claim.client_id(), stamp_of(pair, claim.counter()), claim.clean_start(), later);
  }
  return true;
}

bool Claims::on_reply(Pair& pair, const proto::ClaimReply& reply) {
  const auto it = pending_.find(reply.client_id());
  if (it == pending_.end() || it->second.stamp.counter != reply.counter()) return true;
  if (reply.later_counter() != 0) {
    context_.see_counter(reply.later_counter());
    supersede(reply.client_id());
    return true;
  }
  it->second.waits.erase(pair.id());
  grant_if_free(reply.client_id());
  return true;
}

void Claims::reply(Pair& pair, const std::string& client_id, uint64_t counter,
                   uint64_t later_counter) {
  proto::ClaimReply message;
  message.set_client_id(client_id);
  message.set_counter(counter);
  message.set_later_counter(later_counter);
  pair.send(FrameKind::kClaimReply, message);
}

void Claims::pay_replies(const std::string& client_id) {
  const auto it = owed_.find(client_id);
  if (it == owed_.end()) return;
  const std::vector<OwedReply> owed = std::move(it->second);
  owed_.erase(it);
  for (Pair* const pair : peers_()) {
    for (const OwedReply& one : owed) {
      if (one.peer == pair->id()) reply(*pair, client_id, one.counter, 0);
    }
  }
}

}  // namespace shoal
