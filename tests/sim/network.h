// The simulated network between nodes: links that behave as TCP connections do. Within a link each
// lane is ordered and lossless, and between lanes there is no order; while the path is cut its bytes wait for the path; a link whose path
// stays cut breaks after its keepalive, and what waited is lost; a crashed process's links are reset
// as soon as its peer can hear of it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/wire.h"
#include "tests/sim/world.h"

namespace shoal::sim {

using NodeNumber = int;  // the simulator's own numbering: 0, 1, 2 ...

// A process that takes part in the network. Calls come from the world's agenda.
class NetworkEnd {
 public:
  virtual ~NetworkEnd() = default;
  virtual void link_up(LinkId link, bool dialled, const std::string& address) = 0;
  virtual void link_down(LinkId link, const std::string& why) = 0;
  virtual void frame(LinkId link, Lane lane, FrameRef frame) = 0;
};

class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  // A process listens at `address`; it replaces the node's earlier process.
  void attach(NodeNumber node, const std::string& address, NetworkEnd& end);
  // The process is gone (crash): its links break.
  void detach(NodeNumber node);

  void dial(NodeNumber from, LinkId link, const std::string& address);
  void send(NodeNumber from, LinkId link, Lane lane, FrameRef frame);
  void close(NodeNumber from, LinkId link);

  // Faults. A cut holds back what goes from `from` to `to`; the other way goes on for a few KB, until
  // the sender's window is full of what nobody can acknowledge.
  void cut(NodeNumber from, NodeNumber to);
  void cut_both(NodeNumber a, NodeNumber b);
  void heal();
  void reset_links(NodeNumber a, NodeNumber b);
  bool is_cut(NodeNumber from, NodeNumber to) const { return cuts_.contains({from, to}); }
  bool is_cut_either(NodeNumber a, NodeNumber b) const { return is_cut(a, b) || is_cut(b, a); }

 private:
  struct Host {
    std::string address;
    NetworkEnd* end = nullptr;
    uint64_t life = 0;  // tells a restarted process from its former self
  };
  struct Link;
  using LinkRef = std::shared_ptr<Link>;
  struct Side {
    NodeNumber node = 0;
    uint64_t life = 0;
    LinkId id = 0;
    bool open = true;  // the process there believes in the link
  };
  struct Waiting {
    Lane lane;
    FrameRef frame;
  };
  struct Direction {
    Instant last_arrival[kLaneCount];
    std::deque<Waiting> held;  // arrived at a cut
    size_t through = 0;        // bytes that still pass while only the way back is cut
  };
  struct Link {
    Side sides[2];
    Direction directions[2];  // [i]: from sides[i] to the other
    bool broken = false;
    Instant cut_since = Instant::never();
  };

  Host* host_at(const std::string& address, NodeNumber& node);
  bool is_alive(const Side& side) const;
  bool is_stopped(Link& link, int direction, size_t bytes);
  LinkRef find(NodeNumber node, LinkId link) const;
  void accept(LinkRef link, const std::string& address);
  void arrive(const LinkRef& link, int direction, Lane lane, FrameRef frame);
  void deliver(const LinkRef& link, int direction, Lane lane, FrameRef frame);
  void release(const LinkRef& link, int direction);
  void break_link(const LinkRef& link, const std::string& why);
  void tell_down(const LinkRef& link, int side, Duration delay, const std::string& why);
  void watch_keepalive(const LinkRef& link);
  Duration latency() { return world_.long_tailed({100'000}); }

  World& world_;
  std::map<NodeNumber, Host> hosts_;
  std::set<std::pair<NodeNumber, NodeNumber>> cuts_;
  std::map<std::pair<NodeNumber, LinkId>, LinkRef> links_;
  LinkId next_accepted_ = kAcceptedLink;
};

}  // namespace shoal::sim
