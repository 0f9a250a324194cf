#include "cluster/core/claims.h"

#include <algorithm>
#include <utility>

#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {
namespace {

constexpr size_t kClaimOverhead = 16;
constexpr size_t kClientIdMax = UINT16_MAX;  // a UTF-8 string of MQTT (5.0: 1.5.4)

}  // namespace

Claims::Claims(Context& context, Surroundings around)
    : context_(context), around_(std::move(around)) {}

// ---- workers ------------------------------------------------------------------------------------

void Claims::on_request(WorkerIndex worker, const ClaimRequest& in,
                        std::optional<ClaimAnswer::Outcome> refusal) {
  const Wanted wanted{worker, in.conn, in.user, in.is_volatile};
  if (refusal) return answer(in.client_id, wanted, *refusal);
  std::vector<Wanted> earlier;
  if (const auto request = requests_.find(in.client_id); request != requests_.end()) {
    earlier = std::move(request->second.earlier);
    earlier.push_back(request->second.wanted);
    requests_.erase(request);
  }
  ask(in.client_id, wanted, std::move(earlier));
}

void Claims::ask(const std::string& client_id, const Wanted& wanted, std::vector<Wanted> earlier) {
  const auto holder = holders_.find(client_id);
  const bool is_held = holder != holders_.end();
  const bool is_elsewhere = is_held && holder->second.worker != wanted.worker;
  Request request{.wanted = wanted,
                  .earlier = std::move(earlier),
                  .stamp = context_.next_stamp(),
                  .waits_for = around_.asked(),
                  .since = context_.now.mono};
  if (is_elsewhere) evict(client_id, holder->second, wanted.user);
  request.waits_for_holder = is_held && holder->second.is_evicting;
  tell(client_id, request);
  requests_[client_id] = std::move(request);
  check(client_id);
}

void Claims::answer(const std::string& client_id, const Wanted& wanted,
                    ClaimAnswer::Outcome outcome) {
  context_.mail(bit_of(wanted.worker),
                ClaimAnswer{.conn = wanted.conn, .client_id = client_id, .outcome = outcome});
}

// Whatever an earlier connection asked of the store is known to it by now, or answered to nobody.
void Claims::grant(const std::string& client_id, const Wanted& wanted, const Stamp& stamp) {
  const bool is_nothing_stored = wanted.is_volatile && around_.is_nothing_stored(client_id);
  context_.mail(bit_of(wanted.worker), ClaimAnswer{.conn = wanted.conn,
                                                   .client_id = client_id,
                                                   .stamp = stamp,
                                                   .is_nothing_stored = is_nothing_stored});
}

// A peer that is not heard is told when it is heard again: by then the client may have gone
// elsewhere, and what lay about on the way would close its connection there.
void Claims::tell(const std::string& client_id, Request& request) {
  for (const NodeId id : request.waits_for) {
    Pair* const pair = request.told.count(id) == 0 ? around_.reachable(id) : nullptr;
    if (pair == nullptr) continue;
    pair->send(FrameKind::kClaim, message_of(client_id, request));
    request.told.insert(id);
  }
}

proto::Claim Claims::message_of(const std::string& client_id, const Request& request) const {
  proto::Claim claim;
  claim.set_client_id(client_id);
  claim.set_counter(request.stamp.counter);
  claim.set_answered(true);
  claim.set_user(request.wanted.user);
  return claim;
}

// A later claim, or no answer: whoever waits for this id here waits no longer.
void Claims::refuse(const std::string& client_id, ClaimAnswer::Outcome outcome) {
  const auto it = requests_.find(client_id);
  if (it == requests_.end()) return;
  answer(client_id, it->second.wanted, outcome);
  for (const Wanted& earlier : it->second.earlier) answer(client_id, earlier, outcome);
  requests_.erase(it);
}

void Claims::evict(const std::string& client_id, Holder& holder, const User& user) {
  if (holder.is_evicting) return;
  holder.is_evicting = true;
  context_.mail(bit_of(holder.worker), Evict{client_id, {holder.counter, context_.self}, user});
}

void Claims::on_withdraw(WorkerIndex worker, const ClaimWithdraw& withdraw) {
  const auto it = requests_.find(withdraw.client_id);
  if (it == requests_.end()) return;
  const auto is_it = [&](const Wanted& one) {
    return one.worker == worker && one.conn == withdraw.conn;
  };
  std::vector<Wanted>& earlier = it->second.earlier;
  if (!is_it(it->second.wanted)) {
    std::erase_if(earlier, is_it);
    return;
  }
  go_on_without(it);
}

void Claims::go_on_without(std::map<std::string, Request>::iterator request) {
  const std::string client_id = request->first;
  std::vector<Wanted> left = std::move(request->second.earlier);
  requests_.erase(request);
  if (left.empty()) return;
  const Wanted next = left.back();
  left.pop_back();
  ask(client_id, next, std::move(left));
}

void Claims::refuse_user(const std::string& client_id) {
  const auto it = requests_.find(client_id);
  answer(client_id, it->second.wanted, ClaimAnswer::Outcome::kRefusedUser);
  go_on_without(it);
}

void Claims::on_release(WorkerIndex worker, const ClaimRelease& release) {
  on_evict_done(worker, {release.client_id, release.stamp});
}

// Who has asked since was told to wait, or that nobody at another worker is in its way.
void Claims::on_move(WorkerIndex to, const ClaimMove& move) {
  context_.mail(bit_of(move.from), ClaimMoved{move.client_id, move.number});
  const auto it = holders_.find(move.client_id);
  if (it == holders_.end() || move.stamp != Stamp{it->second.counter, context_.self}) return;
  it->second.worker = to;
  const auto request = requests_.find(move.client_id);
  if (request == requests_.end() || request->second.wanted.worker == to) return;
  evict(move.client_id, it->second, request->second.wanted.user);
  request->second.waits_for_holder = true;
}

void Claims::on_evict_done(WorkerIndex worker, const EvictDone& done) {
  const auto it = holders_.find(done.client_id);
  if (it == holders_.end() || it->second.worker != worker) return;
  if (done.stamp != Stamp{it->second.counter, context_.self}) return;
  holders_.erase(it);
  on_holder_gone(done.client_id);
}

// Those who asked as that user are refused; for who is left the connection is asked again.
void Claims::on_evict_refused(WorkerIndex worker, const EvictRefused& refused) {
  const std::string& id = refused.client_id;
  const auto it = holders_.find(id);
  if (it == holders_.end() || it->second.worker != worker) return;
  Holder& holder = it->second;
  if (refused.stamp != Stamp{holder.counter, context_.self} || !holder.is_evicting) return;
  holder.is_evicting = false;
  std::vector<Asking>& asking = asking_[id];
  const auto is_refused = [&refused](const Asking& one) { return one.user == refused.user; };
  for (Pair* const pair : around_.open_pairs()) {
    for (const Asking& one : asking) {
      if (one.peer == pair->id() && is_refused(one)) reply_refused(*pair, id, one.counter);
    }
  }
  std::erase_if(asking, is_refused);
  if (asking.empty()) {
    asking_.erase(id);
  } else {
    evict(id, holder, asking.front().user);
  }
  const auto request = requests_.find(id);
  if (request == requests_.end() || !request->second.waits_for_holder) return;
  const Wanted& wanted = request->second.wanted;
  if (wanted.worker == worker) {  // which decides by itself, with the claim
    request->second.waits_for_holder = holder.is_evicting;
    check(id);
  } else if (wanted.user == refused.user) {
    refuse_user(id);
  } else {
    evict(id, holder, wanted.user);
  }
}

void Claims::on_holder_gone(const std::string& client_id) {
  const auto request = requests_.find(client_id);
  const auto asking = asking_.find(client_id);
  if (asking != asking_.end()) {
    for (Pair* const pair : around_.open_pairs()) {
      for (const Asking& one : asking->second) {
        if (one.peer != pair->id()) continue;
        // A connection here may have asked since, and the peer has agreed to that already.
        const bool is_older =
            request != requests_.end() && Stamp{one.counter, one.peer} < request->second.stamp;
        reply(*pair, client_id, one.counter, is_older ? request->second.stamp.counter : 0);
      }
    }
    asking_.erase(asking);
  }
  if (request == requests_.end()) return;
  request->second.waits_for_holder = false;
  check(client_id);
}

bool Claims::check(const std::string& client_id) {
  const auto it = requests_.find(client_id);
  Request& request = it->second;
  const bool peers_agree = request.waits_for.empty() || SHOAL_MUTATED("claim-asks-nobody");
  if (request.waits_for_holder || !peers_agree) return false;
  grant(client_id, request.wanted, request.stamp);
  for (const Wanted& earlier : request.earlier) {
    answer(client_id, earlier, ClaimAnswer::Outcome::kSuperseded);
  }
  holders_[client_id] = {.counter = request.stamp.counter, .worker = request.wanted.worker};
  requests_.erase(it);
  return true;
}

void Claims::check_waits() {
  if (requests_.empty()) return;
  const std::set<NodeId> asked = around_.asked();
  std::vector<std::string> ready;
  for (auto& [id, request] : requests_) {
    std::erase_if(request.waits_for, [&asked](NodeId peer) { return asked.count(peer) == 0; });
    tell(id, request);
    if (request.waits_for.empty()) ready.push_back(id);
  }
  for (const std::string& id : ready) check(id);
}

void Claims::on_tick() {
  std::vector<std::string> late;
  for (const auto& [id, request] : requests_) {
    const bool is_late = context_.now.mono - request.since > context_.config.limits.lease * 4;
    if (is_late && !request.waits_for.empty()) late.push_back(id);
  }
  for (const std::string& id : late) refuse(id, ClaimAnswer::Outcome::kUnavailable);
}

// ---- peers --------------------------------------------------------------------------------------

void Claims::on_open(Pair& pair) {
  for (auto& [id, request] : requests_) {
    request.waits_for.insert(pair.id());
    request.told.erase(pair.id());
  }
  telling_[pair.id()] = {};
  pump(pair);
}

void Claims::on_end(const Pair& pair) {
  telling_.erase(pair.id());
  for (auto& [id, asking] : asking_) {
    std::erase_if(asking, [&pair](const Asking& one) { return one.peer == pair.id(); });
  }
}

void Claims::pump(Pair& pair) {
  const auto telling = telling_.find(pair.id());
  if (telling == telling_.end()) return;
  while (pair.kept_bytes(Lane::kControl) < kPortionsOpenBytes) {
    proto::Claims portion;
    auto at = telling->second.empty() ? holders_.begin() : holders_.upper_bound(telling->second);
    for (size_t bytes = 0; at != holders_.end() && bytes < kPortionBytes; ++at) {
      proto::Claim* const claim = portion.add_claims();
      claim->set_client_id(at->first);
      claim->set_counter(at->second.counter);
      bytes += at->first.size() + kClaimOverhead;
      telling->second = at->first;
    }
    const bool is_last = at == holders_.end();
    if (is_last) telling_.erase(telling);
    if (portion.claims_size() != 0) pair.send(FrameKind::kClaims, portion);
    if (is_last) return;
  }
}

void Claims::reply(Pair& pair, const std::string& client_id, uint64_t counter, uint64_t later) {
  proto::ClaimReply message;
  message.set_client_id(client_id);
  message.set_counter(counter);
  message.set_later_counter(later);
  pair.send(FrameKind::kClaimReply, message);
}

void Claims::reply_refused(Pair& pair, const std::string& client_id, uint64_t counter) {
  proto::ClaimReply message;
  message.set_client_id(client_id);
  message.set_counter(counter);
  message.set_is_refused(true);
  pair.send(FrameKind::kClaimReply, message);
}

bool Claims::on_peer_claim(Pair& pair, const proto::Claim& claim) {
  const std::string& id = claim.client_id();
  if (id.empty() || id.size() > kClientIdMax || claim.counter() == 0) return false;
  context_.see_counter(claim.counter());
  const Stamp stamp{claim.counter(), pair.id()};
  const auto request = requests_.find(id);
  if (request != requests_.end()) {
    if (stamp < request->second.stamp) {
      // Ours is told to it as well, and evicts what it may have granted by then.
      if (claim.answered()) reply(pair, id, stamp.counter, request->second.stamp.counter);
      return true;
    }
    // Its answer to ours is behind this on the way. It says whether the claim still stands: its
    // client may have left while this node did not read.
    if (request->second.waits_for.count(pair.id()) == 0) {
      refuse(id, ClaimAnswer::Outcome::kSuperseded);
    }
  }
  const auto holder = holders_.find(id);
  if (holder == holders_.end()) {
    if (claim.answered()) reply(pair, id, stamp.counter, 0);
    return true;
  }
  if (stamp < Stamp{holder->second.counter, context_.self}) {
    if (claim.answered()) reply(pair, id, stamp.counter, holder->second.counter);
    return true;
  }
  const User user = claim.has_user() ? User(claim.user()) : std::nullopt;
  if (claim.answered()) asking_[id].push_back({pair.id(), stamp.counter, user});
  evict(id, holder->second, user);
  return true;
}

bool Claims::on_peer_claims(Pair& pair, const proto::Claims& claims) {
  return std::all_of(claims.claims().begin(), claims.claims().end(), [&](const proto::Claim& one) {
    return !one.answered() && on_peer_claim(pair, one);
  });
}

void Claims::on_reply(const Pair& pair, const proto::ClaimReply& reply) {
  context_.see_counter(reply.later_counter());
  const std::string& id = reply.client_id();
  const bool is_later = reply.later_counter() != 0;
  const auto request = requests_.find(id);
  if (request != requests_.end() && request->second.stamp.counter == reply.counter()) {
    if (is_later) return refuse(id, ClaimAnswer::Outcome::kSuperseded);
    if (reply.is_refused()) return refuse_user(id);
    request->second.waits_for.erase(pair.id());
    check(id);
    return;
  }
  // Granted without this peer, because it was silent: the later claim wins all the same.
  const auto holder = holders_.find(id);
  if (!is_later || holder == holders_.end() || holder->second.counter != reply.counter()) return;
  if (Stamp{reply.counter(), context_.self} < Stamp{reply.later_counter(), pair.id()}) {
    evict(id, holder->second, std::nullopt);
  }
}

}  // namespace shoal
