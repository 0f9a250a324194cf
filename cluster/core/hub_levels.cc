// The cluster's level: the version of the protocol whose additions are used (include/shoal/protocol.h).
//
// Every node stores the level, tells it with each State, and takes over a higher one that it hears. A node
// raises it to what every member speaks, as the table of members says, while it may acknowledge: with
// leases of a majority it knows of every member, or is told before the newcomer counts. A member that is
// away counts with what was last known of it, so that it is not locked out by coming back as it was. The
// level is stored before it is told or used: a node never falls behind what it has said.
//
// From then on whoever speaks less is refused, and told why. That holds for one that came back with an older
// program just then, too: no agreement could make that safe, since what is at the new level may have been
// written already.
#include <algorithm>
#include <utility>

#include <absl/strings/str_format.h>
#include "cluster/core/hub_core.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {
namespace {

std::string needs_later(uint32_t level, const std::string& name, uint32_t min, uint32_t max) {
  return absl::StrFormat(
      "the cluster is at protocol %d, node %s speaks %d to %d: it needs a later version", level,
      name, min, max);
}

}  // namespace

void HubCore::raise_level() {
  if (std::max(context_.level, storing_level_) >= context_.config.protocol_max) return;
  if (!is_in_cluster() || leases_.ack_until() <= context_.now.mono) return;
  const uint32_t all = SHOAL_MUTATED("level-raised-early") ? kProtocolMax : members_.all_speak();
  take_level(std::min(all, context_.config.protocol_max));
}

void HubCore::take_level(uint32_t level) {
  SHOAL_ASSERT(level <= context_.config.protocol_max);
  if (level <= std::max(context_.level, storing_level_)) return;
  storing_level_ = level;
  store(stored_state(), [this, level] {
    if (level <= context_.level) return;
    context_.level = level;
    context_.log(HubEffects::Log::Level::kInfo,
                 absl::StrFormat("the cluster is at protocol %d now", level));
    send_states();
    refuse_outdated();
  });
}

std::string HubCore::check_speaks(const proto::Hello& hello) const {
  if (hello.protocol_max() >= context_.level) return "";
  return needs_later(context_.level, hello.name(), hello.protocol_min(), hello.protocol_max());
}

void HubCore::refuse_outdated() {
  for (const auto& [id, link] : std::map<LinkId, Link>(links_.all())) {
    const Pair* const pair = find_pair(link.peer);
    if (pair == nullptr) continue;
    const std::string wrong = check_speaks(pair->hello);
    if (wrong.empty()) continue;
    refuse(link, wrong, context_.level);
  }
}

// This node is the one that speaks too little: the link is refused.
bool HubCore::is_outdated(const Link& link, uint32_t level) {
  const HubConfig& config = context_.config;
  if (level <= config.protocol_max) return false;
  const std::string why =
      needs_later(level, config.node_name, config.protocol_min, config.protocol_max);
  note_outdated(link, why);
  turn_away(link, why);
  return true;
}

// It is found with each attempt: once is enough for the log.
void HubCore::note_outdated(const Link& link, const std::string& why) {
  refused_ = why;
  refused_at_ = context_.now.mono;
  if (std::exchange(outdated_, why) == why) return;
  context_.log(HubEffects::Log::Level::kWarn, "cannot be with " + link.address + ": " + why);
}

void HubCore::on_refuse(const Link& link, const proto::Refuse& refused) {
  const std::string why = refused.why().substr(0, kRefusalMax);
  if (refused.level() > context_.config.protocol_max) return note_outdated(link, why);
  refused_ = why;
  refused_at_ = context_.now.mono;
  warn_of_refusal("refused by " + link.address, why);
}

}  // namespace shoal
