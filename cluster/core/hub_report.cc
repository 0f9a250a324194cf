#include <absl/strings/str_format.h>
#include "cluster/core/hub_core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr Duration kUnreadyPatience = Duration::seconds(2);

}  // namespace

const char* name_of(MemberState state) {
  switch (state) {
    case MemberState::kSelf: return "self";
    case MemberState::kInSync: return "in-sync";
    case MemberState::kSyncing: return "syncing";
    case MemberState::kSilent: return "silent";
    case MemberState::kGivenUp: return "given-up";
    case MemberState::kLeft: return "left";
  }
  return "";
}

std::string HubCore::why_not_ready() const {
  if (is_draining_) return "this node is draining";
  if (has_left()) return std::string("this node") + kHasLeft;
  if (closing_ != 0) return "the others went on without this node: its connections are closing";
  if (!cluster_) {
    if (is_refused()) return "no cluster yet: " + refused_;
    if (context_.config.expect == 0) return "no cluster yet: none of the seeds is in one";
    int met = 1;
    for (const auto& [id, pair] : pairs_) met += pair->link() != 0 ? 1 : 0;
    return absl::StrFormat("no cluster yet: %d of %d nodes have met", met, context_.config.expect);
  }
  if (!is_self_member()) {
    return is_refused() ? "not a member: " + refused_ : "not a member of the cluster yet";
  }
  if (leases_.ack_until() > context_.now.mono) {
    if (store_ && !knows_shards_) return why_store_not_ready();
    return retained_.is_copying() ? "retained messages are being copied" : "";
  }
  if (!outdated_.empty()) return outdated_;
  std::string missing;
  for (const auto& [id, member] : members_.all()) {
    if (id == context_.self || !leases_.is_required(id)) continue;
    if (leases_.lease_from(id) > context_.now.mono) continue;
    missing += (missing.empty() ? "" : ", ") + member.name;
  }
  if (missing.empty()) {
    return absl::StrFormat("fewer than a majority of %d members are there",
                           members_.majority(context_.config.expect));
  }
  return "no lease from " + missing + (is_refused() ? " (refused: " + refused_ + ")" : "");
}

// By one that would say so again: it is tried every second or so.
bool HubCore::is_refused() const {
  return !refused_.empty() && context_.now.mono - refused_at_ < kRefusalHolds;
}

// A reason that passes at once is not worth a line.
void HubCore::log_readiness() {
  const std::string why = why_not_ready();
  if (why.empty() == told_why_.empty()) {
    told_why_at_ = context_.now.mono;
    return;
  }
  if (!why.empty() && context_.now.mono - told_why_at_ < kUnreadyPatience) return;
  told_why_ = why;
  context_.log(why.empty() ? HubEffects::Log::Level::kInfo : HubEffects::Log::Level::kWarn,
               why.empty() ? "ready" : "not ready: " + why);
}

MemberStatus HubCore::status_of(const StoredMember& member) const {
  MemberStatus status{.id = member.id,
                      .name = member.name,
                      .address = member.address,
                      .incarnation = member.life.incarnation,
                      .speaks = std::max(member.speaks, kProtocolMin)};
  if (member.id == context_.self) {
    status.state = member.left ? MemberState::kLeft : MemberState::kSelf;
    status.clients = figures_.clients;
    status.routes = routes_.own_count();
    status.messages_in = figures_.messages_in;
    status.messages_out = figures_.messages_out;
    status.ready = why_not_ready().empty();
    status.draining = is_draining_;
    return status;
  }
  const Pair* const pair = find_pair(member.id);
  const bool is_linked = pair != nullptr && pair->link() != 0;
  status.state = member.left                     ? MemberState::kLeft
                 : leases_.is_in_sync(member.id) ? MemberState::kInSync
                 : is_linked                     ? MemberState::kSyncing
                 : leases_.is_out(member.id)     ? MemberState::kGivenUp
                                                 : MemberState::kSilent;
  if (status.state == MemberState::kInSync && !is_linked) status.state = MemberState::kSilent;
  if (pair == nullptr) return status;
  status.slot = pair->slot();
  status.clients = pair->said.clients();
  status.routes = pair->said.routes();
  status.messages_in = pair->said.messages_in();
  status.messages_out = pair->said.messages_out();
  status.ready = is_linked && pair->said.ready();
  status.draining = pair->said.draining();
  const auto rtt = rtt_.find(member.id);
  if (rtt != rtt_.end()) status.rtt = rtt->second;
  const Duration left = leases_.lease_from(member.id) - context_.now.mono;
  if (left > Duration{}) status.lease_left = left;
  status.forwarded = forwarding_.forwarded(*pair);
  status.received = forwarding_.received(*pair);
  status.queued_bytes = forwarding_.waiting_bytes(*pair);
  return status;
}

HubStatus HubCore::status(Now now) {
  context_.now = now;
  HubStatus status{.reason = why_not_ready()};
  status.ready = status.reason.empty();
  status.draining = is_draining_;
  status.id = context_.self;
  status.cluster = cluster_;
  status.level = context_.level;
  status.protocol_max = context_.config.protocol_max;
  status.majority = members_.majority(context_.config.expect);
  status.routes = routes_.count();
  status.forwarded_dropped = forwarding_.dropped();
  status.claims = claims_.count();
  status.retained = retained_.tree().messages();
  status.retained_bytes = retained_.tree().bytes();
  status.retained_dropped = retained_.dropped();
  for (const auto& [id, member] : members_.all()) status.members.push_back(status_of(member));
  if (!store_ || !store_->is_open()) return status;
  for (const auto& [reason, count] : store_->dropped()) {
    status.store_dropped.emplace_back(HubStore::name_of(reason), count);
  }
  for (uint32_t shard = 0; shard < store_founding_.shards; ++shard) {
    status.shards.push_back(status_of(shard));
  }
  status.placements = placing_.status();
  status.level_waits = placing_.why_not_level();
  status.leaving = placing_.is_leaving();
  const Placing::Departures departures = placing_.departures();
  status.replicas_here = departures.moving + departures.held;
  status.places_open = departures.open;
  if (status.leaving) status.leaving_waits = departures.waits;
  return status;
}

void HubCore::check_invariants() const {
  for (const auto& [id, pair] : pairs_) {
    SHOAL_ASSERT(slots_.at(pair->slot()) == pair.get());
    if (leases_.is_in_sync(id)) SHOAL_ASSERT(pair->is_open());
    if (leases_.is_out(id)) SHOAL_ASSERT(!leases_.is_in_sync(id));
    if (pair->link() == 0) continue;
    const auto link = links_.all().find(pair->link());
    SHOAL_ASSERT(link != links_.all().end());
    SHOAL_ASSERT(link->second.up && link->second.peer == id);
  }
}

}  // namespace shoal
