// Leaderships that go to other nodes, because this one is to stop or because they are unevenly spread; and
// the goodbye, by which the others need not wait until they miss it.
#include <algorithm>
#include <utility>

#include "cluster/core/hub_core.h"
#include "cluster/core/node_list.h"

namespace shoal {
namespace {

constexpr Duration kHandOverMax = Duration::seconds(1);
constexpr Duration kGoodbyeMax = Duration::millis(300);
constexpr Duration kBalancingInterval = Duration::seconds(1);
// One that comes and goes is no place for a leader.
constexpr Duration kSteady = Duration::seconds(5);
// So long without a lease: another is gone on with instead (leases.h).
constexpr Duration kSteppedDown = Duration::millis(500);

}  // namespace

// ---- leaderships --------------------------------------------------------------------------------

// Whoever is cut off from some, and may promise nothing, leads on as long as a majority of the replicas
// follows it; but those that it does not reach have no leader then.
bool HubCore::has_stepped_down() const { return context_.now.mono - last_promise_ >= kSteppedDown; }

LeadershipView HubCore::leadership_view() {
  const replica::Store& store = *store_->store();
  const bool has_stepped_down = this->has_stepped_down();
  LeadershipView view{.gives_all = gives_leaderships() || has_stepped_down,
                      .self = {context_.self, context_.config.weight}};
  const auto leads = [&](NodeId id) {
    uint32_t count = 0;
    for (uint32_t shard = 0; shard < store_founding_.shards; ++shard) {
      count += store.client().leader(shard).node == id ? 1 : 0;
    }
    return count;
  };
  for (const auto& [id, pair] : pairs_) {
    const bool is_here = members_.is_member(id) && leases_.is_in_sync(id) && !leases_.is_silent(id);
    const bool goes = pair->said.draining() || pair->said.leaving();
    if (!is_here || goes || (has_stepped_down && !pair->said.ready())) continue;
    const bool is_steady = context_.now.mono - leases_.in_sync_since(id) >= kSteady;
    if (view.gives_all || is_steady) view.others.push_back({id, pair->hello.weight(), leads(id)});
  }
  view.self.leads = leads(context_.self);
  const Placing::Targets& targets = placing_.wanted();
  for (uint32_t shard = 0; shard < store_founding_.shards; ++shard) {
    if (!store.leads(shard)) continue;
    const raft::RaftGroup& group = *store.groups().find(shard);
    const std::vector<NodeId>& wanted = targets[shard];
    LeadershipView::Led led{.shard = shard};
    for (const raft::Server& each : group.configuration()->servers) {
      const bool is_voter = each.role == raft::Role::kVoter && each.id != context_.self;
      const bool stays = wanted.size() < kVotersMin || contains(wanted, each.id);
      if (!view.gives_all && !stays) continue;
      if (is_voter && group.lag(each.id) <= kLacksMax) led.able.push_back(each.id);
    }
    view.led.push_back(std::move(led));
  }
  return view;
}

void HubCore::give_leaderships() {
  if (!store_ || !store_->is_open()) return;
  if (published_until_ > context_.now.mono) last_promise_ = context_.now.mono;
  if (!gives_leaderships()) {
    if (context_.now.mono - last_balancing_ < kBalancingInterval) return;
    last_balancing_ = context_.now.mono;
    // As long as a shard has no leader nobody knows who leads how many.
    if (!has_stepped_down() && !store_->is_ready()) return;
  }
  for (const Handover& each : next_handovers(leadership_view())) {
    store_->transfer(each.shard, each.to);
  }
}

// Clients are served meanwhile.
void HubCore::hand_over(std::function<void()> then) {
  is_handing_over_ = true;
  handed_over_.push_back(std::move(then));
  hand_over_deadline_ = context_.now.mono + kHandOverMax;
  send_states();  // that nobody gives it any
  give_leaderships();
  check_handed_over();
}

void HubCore::check_handed_over() {
  if (handed_over_.empty()) return;
  const auto is_done = [this] {
    if (!store_ || !store_->is_open()) return true;
    for (uint32_t shard = 0; shard < store_founding_.shards; ++shard) {
      if (!store_->store()->client().leader(shard).node) return false;
    }
    return next_handovers(leadership_view()).empty();
  };
  if (context_.now.mono < hand_over_deadline_ && !is_done()) return;
  for (const auto& then : std::exchange(handed_over_, {})) then();
}

// ---- the goodbye --------------------------------------------------------------------------------

void HubCore::say_goodbye(uint64_t token) {
  is_gone_ = true;
  goodbye_token_ = token;
  goodbye_at_ = context_.now.mono;
  leases_.stop();
  publish_ack_until();
  send_states();
  check_goodbye();
}

void HubCore::check_goodbye() {
  if (!goodbye_token_) return;
  bool is_heard = true;
  for (const Pair* const pair : open_pairs()) {
    const bool has_heard = leases_.last_answer(pair->id()) >= goodbye_at_;
    if (pair->link() != 0 && leases_.is_in_sync(pair->id()) && !has_heard) is_heard = false;
  }
  if (!is_heard && context_.now.mono - goodbye_at_ < kGoodbyeMax) return;
  answer(*std::exchange(goodbye_token_, std::nullopt), true, "the others know");
}

// It may be gone on without at once, if the others confirm that.
void HubCore::on_gone(Pair& pair) {
  leases_.on_gone(pair.id());
  if (pair.is_open()) end_session(pair, true);
}

}  // namespace shoal
