#include "tests/scale/wires.h"

#include <algorithm>

namespace shoal::scale {

void Wires::attach(int node, const std::string& address, NetworkEnd& end) {
  Host& host = hosts_[node];
  host.address = address;
  host.end = &end;
  ++host.life;
}

void Wires::detach(int node) {
  hosts_[node].end = nullptr;
  ++hosts_[node].life;
  std::vector<Place> gone;
  for (const auto& [key, place] : links_) {
    if (key.first == node) gone.push_back(place);
  }
  std::sort(gone.begin(), gone.end(), [](const Place& a, const Place& b) {
    return a.link->sides[a.side].id < b.link->sides[b.side].id;
  });
  for (const Place& each : gone) {
    Side& here = each.link->sides[each.side];
    here.is_open = false;
    links_.erase({node, here.id});
    tell_down(each.link, 1 - each.side, "connection reset");
  }
}

bool Wires::is_alive(const Side& side) const {
  const Host& host = hosts_[side.node];
  return host.end != nullptr && host.life == side.life;
}

void Wires::dial(int from, LinkId id, const std::string& address) {
  auto link = std::make_shared<Link>();
  link->sides[0] = {from, hosts_[from].life, id, true};
  links_[{from, id}] = {link, 0};
  world_.after(latency_, [this, link, address] { accept(link, address); });
}

void Wires::accept(const LinkRef& link, const std::string& address) {
  const Side& dialler = link->sides[0];
  if (!dialler.is_open || !is_alive(dialler)) return;
  const auto host = std::find_if(hosts_.begin(), hosts_.end(), [&address](const Host& each) {
    return each.end != nullptr && each.address == address;
  });
  if (host == hosts_.end()) return tell_down(link, 0, "connection refused");
  const int node = static_cast<int>(host - hosts_.begin());
  link->sides[1] = {node, host->life, ++last_accepted_, true};
  links_[{node, link->sides[1].id}] = {link, 1};
  host->end->link_up(link->sides[1].id, false, hosts_[dialler.node].address);
  // Before any frame of the other's: those take the latency too, and are sent after this.
  world_.after(latency_, [this, link, address] {
    const Side& side = link->sides[0];
    if (side.is_open && is_alive(side)) hosts_[side.node].end->link_up(side.id, true, address);
  });
}

void Wires::send(int from, LinkId id, Lane lane, FrameRef frame) {
  const auto it = links_.find({from, id});
  if (it == links_.end()) return;
  const Place& place = it->second;
  if (!place.link->sides[place.side].is_open) return;
  Host& host = hosts_[from];
  host.sent.add(*frame);
  host.out_free = std::max(host.out_free, world_.now()) + wire_time(frame->size());
  world_.at(host.out_free + latency_,
            [this, link = place.link, to = 1 - place.side, lane,
             frame = std::move(frame)]() mutable { arrive(link, to, lane, std::move(frame)); });
}

void Wires::arrive(const LinkRef& link, int side, Lane lane, FrameRef frame) {
  const Side& to = link->sides[side];
  if (!to.is_open || !is_alive(to)) return;
  Host& host = hosts_[to.node];
  const Instant at = std::max(host.in_free, world_.now());
  host.in_free = at + wire_time(frame->size());
  if (at == world_.now()) return deliver(*link, side, lane, std::move(frame));
  world_.at(at, [this, link, side, lane, frame = std::move(frame)]() mutable {
    deliver(*link, side, lane, std::move(frame));
  });
}

void Wires::deliver(const Link& link, int side, Lane lane, FrameRef frame) {
  const Side& to = link.sides[side];
  if (!to.is_open || !is_alive(to)) return;
  Host& host = hosts_[to.node];
  host.received.add(*frame);
  host.end->frame(to.id, lane, std::move(frame));
}

void Wires::close(int from, LinkId id) {
  const auto it = links_.find({from, id});
  if (it == links_.end()) return;
  const Place place = it->second;
  place.link->sides[place.side].is_open = false;
  links_.erase(it);
  tell_down(place.link, 1 - place.side, "closed by peer");
}

// Behind what is on its way.
void Wires::tell_down(const LinkRef& link, int side, const std::string& why) {
  const Instant sent = std::max(world_.now(), hosts_[link->sides[1 - side].node].out_free);
  world_.at(sent + latency_, [this, link, side, why] {
    Side& end = link->sides[side];
    if (!end.is_open) return;
    end.is_open = false;
    links_.erase({end.node, end.id});
    if (is_alive(end)) hosts_[end.node].end->link_down(end.id, why);
  });
}

}  // namespace shoal::scale
