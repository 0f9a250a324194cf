// A network without faults: every node has one pipe out and one in, of so many bits a second, and between
// two nodes lies a latency. All lanes share the pipes, in the order of sending. Counts what goes by.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include "cluster/core/wire.h"
#include "tests/scale/traffic.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace shoal::scale {

using sim::NetworkEnd;
using sim::World;

class Wires {
 public:
  Wires(World& world, int nodes, double mbit, Duration latency)
      : world_(world), bits_a_ns_(mbit / 1000), latency_(latency), hosts_(nodes) {}

  void attach(int node, const std::string& address, NetworkEnd& end);
  // The process is gone: its links break.
  void detach(int node);

  // ---- of a node
  void dial(int from, LinkId link, const std::string& address);
  void send(int from, LinkId link, Lane lane, FrameRef frame);
  void close(int from, LinkId link);

  const Traffic& sent(int node) const { return hosts_[node].sent; }
  const Traffic& received(int node) const { return hosts_[node].received; }

 private:
  struct Host {
    std::string address;
    NetworkEnd* end = nullptr;
    uint64_t life = 0;
    Instant out_free{};
    Instant in_free{};
    Traffic sent;
    Traffic received;
  };
  struct Side {
    int node = 0;
    uint64_t life = 0;
    LinkId id = 0;
    bool is_open = false;
  };
  struct Link {
    Side sides[2];
  };
  using LinkRef = std::shared_ptr<Link>;
  struct Place {
    LinkRef link;
    int side = 0;
  };

  bool is_alive(const Side& side) const;
  void accept(const LinkRef& link, const std::string& address);
  void arrive(const LinkRef& link, int side, Lane lane, FrameRef frame);
  void deliver(const Link& link, int side, Lane lane, FrameRef frame);
  void tell_down(const LinkRef& link, int side, const std::string& why);
  Duration wire_time(size_t bytes) const {
    return {static_cast<int64_t>(static_cast<double>(bytes * 8) / bits_a_ns_)};
  }

  World& world_;
  const double bits_a_ns_;
  const Duration latency_;
  std::vector<Host> hosts_;
  absl::flat_hash_map<std::pair<int, LinkId>, Place> links_;
  LinkId last_accepted_ = kAcceptedLink;
};

}  // namespace shoal::scale
