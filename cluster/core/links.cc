#include "cluster/core/links.h"

#include <algorithm>
#include <utility>

namespace shoal {
namespace {

constexpr Duration kDialTimeout = Duration::seconds(2);
constexpr Duration kHelloTimeout = Duration::seconds(2);
constexpr Duration kBackoffMin = Duration::millis(100);
constexpr Duration kBackoffMax = Duration::seconds(1);
constexpr size_t kTargetsMax = 1024;  // peers tell us addresses

}  // namespace

Link* Links::find(LinkId id) {
  const auto it = links_.find(id);
  return it == links_.end() ? nullptr : &it->second;
}

Link& Links::on_up(LinkId id, bool dialled_by_us, std::string address) {
  Link& link = links_[id];
  link.id = id;
  link.up = true;
  link.dialled = dialled_by_us;
  if (!dialled_by_us) link.address = std::move(address);
  link.since = link.last_heard = context_.now.mono;
  return link;
}

void Links::on_down(LinkId id, const std::string& why) {
  const Link* const link = find(id);
  if (link == nullptr) return;
  if (!link->up && targets_[link->address].failures == 0) {
    context_.log(HubEffects::Log::Level::kWarn,
                 "no connection to " + link->address + " (" + why + "); it is tried again");
  }
  forget(id);
}

void Links::close(LinkId id, std::string why) {
  if (find(id) == nullptr) return;
  forget(id);
  context_.effects.closes.push_back({id, std::move(why)});
}

void Links::forget(LinkId id) {
  const auto it = links_.find(id);
  if (it->second.dialled) back_off(it->second.address);
  links_.erase(it);
}

void Links::on_identified(const Link& link) {
  if (link.dialled) targets_[link.address].leads_to = link.peer;
}

void Links::on_chosen(const Link& link) {
  if (link.dialled) targets_[link.address].failures = 0;
}

void Links::on_stall() {
  for (auto& [id, link] : links_) link.since = link.last_heard = context_.now.mono;
}

void Links::add_target(const std::string& address) {
  if (address.empty() || address == context_.config.advertise) return;
  if (targets_.size() < kTargetsMax) targets_.try_emplace(address);
}

void Links::dial(const std::function<bool(const std::string&, NodeId)>& is_wanted) {
  for (auto& [address, target] : targets_) {
    if (target.link != 0 || target.next_try > context_.now.mono) continue;
    if (!is_wanted(address, target.leads_to)) continue;
    target.link = ++last_dialled_;
    links_[target.link] = {.id = target.link,
                           .dialled = true,
                           .address = address,
                           .since = context_.now.mono,
                           .last_heard = context_.now.mono};
    context_.effects.dials.push_back({target.link, address});
  }
}

void Links::back_off(const std::string& address) {
  Target& target = targets_[address];
  target.link = 0;
  const Duration doubled = kBackoffMin * (int64_t{1} << std::min(target.failures, 6));
  const Duration wait = std::min(doubled, kBackoffMax);
  // A fifth at random: two that dial each other do not stay in step.
  const Duration jitter{static_cast<int64_t>(context_.random.below(wait.ns / 5))};
  target.next_try = context_.now.mono + wait + jitter;
  ++target.failures;
}

void Links::close_silent(Duration silence, std::vector<Link>& closed) {
  const Instant now = context_.now.mono;
  std::vector<std::pair<LinkId, const char*>> found;
  for (const auto& [id, link] : links_) {
    if (!link.up) {
      if (now - link.since > kDialTimeout) found.emplace_back(id, "no connection in time");
    } else if (!link.peer) {
      if (now - link.since > kHelloTimeout) found.emplace_back(id, "no hello in time");
    } else if (now - link.last_heard > silence) {
      found.emplace_back(id, "silent");
    }
  }
  for (const auto& [id, why] : found) {
    if (links_[id].up) closed.push_back(links_[id]);
    close(id, why);
  }
}

}  // namespace shoal
