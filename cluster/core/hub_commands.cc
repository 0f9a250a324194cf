// The commands of `shoal ctl`: drain, leave, remove.
#include <utility>

#include <absl/strings/str_format.h>
#include "cluster/core/hub_core.h"

namespace shoal {
namespace {

// A member that is not reachable now hears of it from the others.
constexpr Duration kLeaveWait = Duration::seconds(3);

}  // namespace

void HubCore::answer(uint64_t token, bool ok, std::string text) {
  context_.effects.answers.push_back({token, ok, std::move(text)});
}

void HubCore::on_command(uint64_t token, const HubCommand& command, Now now) {
  context_.now = now;
  if (on_backup_command(token, command)) return;
  if (const auto* const drain = std::get_if<DrainCommand>(&command)) {
    is_draining_ = drain->per_second != 0;
    if (is_draining_) give_leaderships();
    const double share = static_cast<double>(drain->per_second) / context_.config.workers;
    context_.mail(context_.all_workers(), Drain{share, drain->is_for_good});
    send_states();
    answer(token, true, is_draining_ ? "draining" : "no longer draining");
  } else if (const auto* const removed = std::get_if<RemoveCommand>(&command)) {
    remove(token, removed->node);
  } else if (std::holds_alternative<HandOverCommand>(command)) {
    hand_over([this, token] { answer(token, true, "handed over"); });
  } else if (std::holds_alternative<GoodbyeCommand>(command)) {
    say_goodbye(token);
  } else if (const auto* const away = std::get_if<MoveAwayCommand>(&command)) {
    move_away(token, away->is_withdrawn);
  } else {
    leave(token);
  }
  settle();
}

// What the others do not hear of it now they hear with the next State.
void HubCore::move_away(uint64_t token, bool is_withdrawn) {
  if (!is_in_cluster()) return answer(token, false, "this node is in no cluster");
  if (is_withdrawn) {
    placing_.stay();
    send_states();
    return answer(token, true, "replicas may be here");
  }
  const Placing::Departures departures = placing_.leave();
  if (!departures.waits.empty()) return refuse_to_leave(token, departures.waits);
  send_states();
  if (departures.moving == 0 && departures.open != 0) {
    return answer(token, true, "there are too few others to take its replicas");
  }
  std::string text = absl::StrFormat("%d replicas are to move to others", departures.moving);
  if (departures.open != 0) {
    text += absl::StrFormat(", for %d there are too few others", departures.open);
  }
  answer(token, true, std::move(text));
}

void HubCore::refuse_to_leave(uint64_t token, const std::string& why) {
  placing_.stay();
  send_states();
  context_.log(HubEffects::Log::Level::kWarn, "this node cannot leave: " + why);
  answer(token, false, why);
}

// First others lead, and no client is here any more, so that nothing is promised that the others do
// not wait for; then the others are told, and the answer is given when all that are connected know it.
void HubCore::leave(uint64_t token) {
  if (!is_in_cluster()) return answer(token, false, "this node is in no cluster");
  placing_.leave();
  const std::string why = placing_.why_not_at_once();
  if (!why.empty()) return refuse_to_leave(token, why);
  is_leaving_ = true;
  leave_token_ = token;
  hand_over([this] {
    leases_.stop();
    close_all("this node leaves the cluster");
  });
}

void HubCore::say_leaving() {
  if (!leave_token_ || !members_.leave(context_.self)) return;
  for (const Pair* const pair : open_pairs()) leave_waits_.insert(pair->id());
  leave_deadline_ = context_.now.mono + kLeaveWait;
  on_members_changed(kLeaveToken, [this] {
    has_stored_leaving_ = true;
    check_left();
  });
}

void HubCore::check_left() {
  if (!leave_token_ || is_self_member() || !has_stored_leaving_) return;
  if (!leave_waits_.empty() && context_.now.mono < leave_deadline_) return;
  answer(*leave_token_, true, "this node has left the cluster");
  leave_token_.reset();
}

void HubCore::remove(uint64_t token, const std::string& node) {
  const auto is_there = [this](NodeId id) {
    return id == context_.self || (!leases_.is_out(id) && !leases_.is_silent(id));
  };
  std::vector<NodeId> found;
  for (const auto& [id, member] : members_.all()) {
    if (member.left) continue;
    if (member.name != node && absl::StrFormat("%016x", id.value) != node) continue;
    found.push_back(id);
  }
  if (found.empty()) return answer(token, false, "no member is called " + node);
  // The one that is not there is meant: it came back without its data, as another node.
  if (found.size() > 1) std::erase_if(found, is_there);
  if (found.size() != 1)
    return answer(token, false, "several members are called " + node + ": use the id");
  if (found[0] == context_.self) return answer(token, false, "that is this node: use leave");
  if (is_there(found[0])) {
    return answer(token, false, "node " + node + " is there: use leave on it, or stop it first");
  }
  members_.leave(found[0]);
  on_members_changed();
  answer(token, true, "node " + node + " is removed");
}

}  // namespace shoal
