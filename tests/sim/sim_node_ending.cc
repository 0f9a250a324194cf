// A node that is told to end does what RunningNode::shut_down() does, one that leaves what `shoal ctl leave`
// has it do.
#include <algorithm>
#include <utility>

#include <absl/strings/str_format.h>
#include "tests/sim/sim_node_parts.h"

namespace shoal::sim {
namespace {

constexpr uint64_t kHandOver = 1;
constexpr uint64_t kGoodbye = 2;
constexpr uint64_t kMoveAway = 3;
constexpr uint64_t kLeave = 4;
constexpr uint64_t kOther = 5;
constexpr uint64_t kRemove = 6;
constexpr Duration kLeaveInterval = Duration::millis(250);
constexpr Duration kPatience = Duration::seconds(5);

}  // namespace

void SimNode::terminate() {
  if (ending_) return;
  ending_ = true;
  note("is told to end");
  post(kHubThread, [this](Now now) { hub().on_command(kHandOver, HandOverCommand{}, now); });
}

void SimNode::command(HubCommand command) {
  post(kHubThread,
       [this, command = std::move(command)](Now now) { hub().on_command(kOther, command, now); });
}

void SimNode::remove(NodeId lost) {
  post(kHubThread, [this, lost](Now now) {
    hub().on_command(kRemove, RemoveCommand{absl::StrFormat("%016x", lost.value)}, now);
  });
}

void SimNode::on_answer(const HubEffects::Answer& answer) {
  if (answer.token == kOther) return on_other_answer(answer);
  const bool is_said = answer.token == kMoveAway || answer.token == kLeave;
  if (is_said || answer.token == kRemove) return note(answer.text);
  if (answer.token == kHandOver) return close_clients();
  note("has said goodbye");
  // Not from within its own turn.
  world_.after(Duration{0}, [this, life = life_] {
    if (life == life_ && is_up()) crash();
  });
}

// ---- leaving ------------------------------------------------------------------------------------

void SimNode::leave() {
  leaving_ = true;
  note("is to leave");
  go_on_leaving();
}

void SimNode::has_to_go() {
  left_ = true;
  if (is_up()) crash();
}

bool SimNode::is_out() {
  const std::vector<MemberStatus> members = hub().status(now()).members;
  return std::any_of(members.begin(), members.end(), [this](const MemberStatus& member) {
    return member.id == id() && member.state == MemberState::kLeft;
  });
}

// Whoever crashes forgets that it is to leave, and is told again. Where nobody can take a replica now it
// waits: a disk that is lost later would be the second of three.
void SimNode::go_on_leaving() {
  if (!is_leaving()) return;
  world_.after(kLeaveInterval, [this] { go_on_leaving(); });
  if (!is_up() || frozen_ || ending_) return;
  if (is_out()) return has_to_go();
  const HubStatus status = hub().status(now());
  if (!status.ready) return;
  const bool is_free = status.leaving && status.replicas_here == 0 && status.places_open == 0 &&
                       status.leaving_waits.empty();
  if (status.leaving && !is_free) return;
  post(kHubThread, [this, is_free](Now now) {
    if (is_free) return hub().on_command(kLeave, LeaveCommand{}, now);
    hub().on_command(kMoveAway, MoveAwayCommand{}, now);
  });
}

// ---- ending -------------------------------------------------------------------------------------

void SimNode::close_clients() {
  note("closes its clients");
  for (int worker = 0; worker < config_.workers; ++worker) {
    post(worker, [this, worker](Now now) { broker(worker).shut_down(now); });
  }
  wait_for_clients(life_, world_.now() + kPatience);
}

bool SimNode::has_work_left() const {
  if (!process_->connections.empty()) return true;
  return std::any_of(
      process_->brokers.begin(), process_->brokers.end(),
      [](const std::unique_ptr<Broker>& each) { return each->counters().tickets_now != 0; });
}

void SimNode::wait_for_clients(uint64_t life, Instant deadline) {
  world_.after(Duration::millis(10), [this, life, deadline] {
    if (life != life_ || !is_up()) return;
    if (frozen_ || (has_work_left() && world_.now() < deadline)) {
      return wait_for_clients(life, deadline);
    }
    post(kHubThread, [this](Now now) { hub().on_command(kGoodbye, GoodbyeCommand{}, now); });
  });
}

}  // namespace shoal::sim
