#include "tests/sim/network.h"

#include <algorithm>

namespace shoal::sim {
namespace {

constexpr size_t kThroughMax = 24 * 1024;  // bytes that pass a one-way cut

}  // namespace

void Network::attach(NodeNumber node, const std::string& address, NetworkEnd& end) {
  Host& host = hosts_[node];
  host.address = address;
  host.end = &end;
  ++host.life;
}

void Network::detach(NodeNumber node) {
  hosts_[node].end = nullptr;
  ++hosts_[node].life;
  std::vector<LinkRef> gone;
  for (const auto& [key, link] : links_) {
    if (key.first == node) gone.push_back(link);
  }
  for (const LinkRef& link : gone) break_link(link, "connection reset");
}

Network::Host* Network::host_at(const std::string& address, NodeNumber& node) {
  for (auto& [number, host] : hosts_) {
    if (host.address == address && host.end != nullptr) {
      node = number;
      return &host;
    }
  }
  return nullptr;
}

bool Network::is_alive(const Side& side) const {
  const auto host = hosts_.find(side.node);
  return host != hosts_.end() && host->second.end != nullptr && host->second.life == side.life;
}

Network::LinkRef Network::find(NodeNumber node, LinkId link) const {
  const auto found = links_.find({node, link});
  return found == links_.end() ? nullptr : found->second;
}

void Network::dial(NodeNumber from, LinkId id, const std::string& address) {
  auto link = std::make_shared<Link>();
  link->sides[0] = {from, hosts_[from].life, id, true};
  link->sides[1].open = false;
  links_[{from, id}] = link;
  world_.after(latency(), [this, link, address] { accept(link, address); });
}

void Network::accept(LinkRef link, const std::string& address) {
  if (link->broken || !is_alive(link->sides[0])) return;
  Side& dialler = link->sides[0];
  NodeNumber node = -1;
  Host* const host = host_at(address, node);
  if (host == nullptr) return tell_down(link, 0, latency(), "connection refused");
  if (is_cut_either(dialler.node, node)) {
    return tell_down(link, 0, Duration::millis(1000), "connect timed out");
  }
  link->sides[1] = {node, host->life, next_accepted_++, true};
  links_[{node, link->sides[1].id}] = link;
  host->end->link_up(link->sides[1].id, false, hosts_[dialler.node].address);
  // Nothing comes to the dialler before the word that the link is up.
  const Instant up = world_.now() + latency();
  for (Instant& arrival : link->directions[1].last_arrival) arrival = up;
  world_.at(up, [this, link, address] {
    if (link->broken || !is_alive(link->sides[0])) return;
    hosts_[link->sides[0].node].end->link_up(link->sides[0].id, true, address);
  });
}

void Network::send(NodeNumber from, LinkId id, Lane lane, FrameRef frame) {
  const LinkRef link = find(from, id);
  if (link == nullptr || link->broken) return;
  const int direction = link->sides[0].node == from && link->sides[0].id == id ? 0 : 1;
  Instant& last = link->directions[direction].last_arrival[static_cast<int>(lane)];
  last = std::max(last, world_.now() + latency());
  world_.at(last, [this, link, direction, lane, frame = std::move(frame)]() mutable {
    arrive(link, direction, lane, std::move(frame));
  });
}

void Network::arrive(const LinkRef& link, int direction, Lane lane, FrameRef frame) {
  if (link->broken) return;
  Direction& way = link->directions[direction];
  if (!way.held.empty() || is_stopped(*link, direction, frame->size())) {
    way.held.push_back({lane, std::move(frame)});
    return;
  }
  deliver(link, direction, lane, std::move(frame));
}

// A cut in either direction stops TCP, sooner or later: what is not acknowledged is held back and sent
// again.
bool Network::is_stopped(Link& link, int direction, size_t bytes) {
  const NodeNumber from = link.sides[direction].node, to = link.sides[1 - direction].node;
  if (is_cut(from, to)) return true;
  if (!is_cut(to, from)) return false;
  size_t& through = link.directions[direction].through;
  if (bytes > through) return true;
  through -= bytes;
  return false;
}

void Network::deliver(const LinkRef& link, int direction, Lane lane, FrameRef frame) {
  const Side& to = link->sides[1 - direction];
  if (!to.open || !is_alive(to)) return;
  hosts_[to.node].end->frame(to.id, lane, std::move(frame));
}

void Network::close(NodeNumber from, LinkId id) {
  const LinkRef link = find(from, id);
  if (link == nullptr || link->broken) return;
  const int closer = link->sides[0].node == from && link->sides[0].id == id ? 0 : 1;
  link->sides[closer].open = false;
  links_.erase({from, id});
  break_link(link, "closed by peer");
}

void Network::break_link(const LinkRef& link, const std::string& why) {
  if (link->broken) return;
  link->broken = true;
  const bool cut = is_cut_either(link->sides[0].node, link->sides[1].node);
  for (int side : {0, 1}) {
    // A reset cannot cross a cut: that side learns by its keepalive.
    tell_down(link, side, cut ? Duration::millis(1500) : latency(), why);
  }
}

void Network::tell_down(const LinkRef& link, int side, Duration delay, const std::string& why) {
  link->broken = true;
  world_.after(delay, [this, link, side, why] {
    Side& end = link->sides[side];
    // A restarted node numbers its links from the beginning.
    const auto found = links_.find({end.node, end.id});
    if (found != links_.end() && found->second == link) links_.erase(found);
    if (!end.open || !is_alive(end)) return;
    end.open = false;
    hosts_[end.node].end->link_down(end.id, why);
  });
}

void Network::cut(NodeNumber from, NodeNumber to) {
  cuts_.insert({from, to});
  std::set<LinkRef> crossing;
  for (const auto& [key, link] : links_) {
    const NodeNumber a = link->sides[0].node, b = link->sides[1].node;
    if ((a == from && b == to) || (a == to && b == from)) crossing.insert(link);
  }
  std::vector<LinkRef> ordered(crossing.begin(), crossing.end());
  std::sort(ordered.begin(), ordered.end(), [](const LinkRef& a, const LinkRef& b) {
    return std::pair(a->sides[0].node, a->sides[0].id) <
           std::pair(b->sides[0].node, b->sides[0].id);
  });
  for (const LinkRef& link : ordered) {
    if (link->cut_since != Instant::never()) continue;
    link->cut_since = world_.now();
    for (Direction& way : link->directions) {
      way.through = world_.random().one_in(2) ? 0 : world_.random().below(kThroughMax);
    }
    watch_keepalive(link);
  }
}

void Network::cut_both(NodeNumber a, NodeNumber b) {
  cut(a, b);
  cut(b, a);
}

void Network::watch_keepalive(const LinkRef& link) {
  const Instant since = link->cut_since;
  world_.after(world_.between(Duration::millis(1200), Duration::millis(2500)), [this, link, since] {
    if (!link->broken && link->cut_since == since) break_link(link, "keepalive timed out");
  });
}

void Network::heal() {
  cuts_.clear();
  std::vector<LinkRef> healed;
  for (const auto& [key, link] : links_) {
    if (key.first == link->sides[0].node && key.second == link->sides[0].id) healed.push_back(link);
  }
  for (const LinkRef& link : healed) {
    link->cut_since = Instant::never();
    for (int direction : {0, 1}) {
      // TCP's next retransmission brings what was held.
      world_.after(world_.between(Duration::millis(1), Duration::millis(400)),
                   [this, link, direction] { release(link, direction); });
    }
  }
}

void Network::release(const LinkRef& link, int direction) {
  if (link->broken || is_cut_either(link->sides[0].node, link->sides[1].node)) return;
  std::deque<Waiting> held = std::exchange(link->directions[direction].held, {});
  for (Waiting& waiting : held) deliver(link, direction, waiting.lane, std::move(waiting.frame));
}

void Network::reset_links(NodeNumber a, NodeNumber b) {
  std::vector<LinkRef> found;
  for (const auto& [key, link] : links_) {
    const NodeNumber x = link->sides[0].node, y = link->sides[1].node;
    if (key.first == x && key.second == link->sides[0].id &&
        ((x == a && y == b) || (x == b && y == a))) {
      found.push_back(link);
    }
  }
  for (const LinkRef& link : found) break_link(link, "connection reset");
}

}  // namespace shoal::sim
