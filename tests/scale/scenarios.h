// What is done with a large cluster, one after the other, and what it took.
#pragma once

#include <string>
#include <vector>

#include "tests/scale/scale_cluster.h"

namespace shoal::scale {

// The nodes find each other and found a cluster.
struct Founding {
  bool is_done = false;
  Duration took{};  // until all are ready
};
Founding found(ScaleCluster& cluster);

// All clients come, at ScaleOptions::rate.
struct Coming {
  bool is_done = false;
  Duration ramp{};       // from the first to the last
  Duration synced{};     // from the last until each has its SUBACK
  Duration agreed{};     // and all nodes have the same routes
  Times waits{};         // for a SUBACK
  Duration lapses{};     // ScaleCluster::take_lapses()
  Usage used{};          // until all agreed
  Duration worker{};     // the processor's time of one worker of the first node
  uint64_t batches = 0;  // RouteBatches
  uint64_t routes = 0;   // that all nodes have: of all places
};
Coming come(ScaleCluster& cluster);

// Nobody does anything.
struct Idle {
  Duration took{};
  Usage used{};
  Duration lapses{};
};
Idle idle(ScaleCluster& cluster, Duration time);

// One of a hundred clients a minute goes to another node: claims its id there, and subscribes.
struct Churn {
  bool is_done = false;
  Duration took{};
  uint64_t moves = 0;
  Usage used{};
  Times connack{};  // from CONNECT
  Times suback{};   // from SUBSCRIBE; of the withdrawn routes too
  Duration lapses{};
};
Churn churn(ScaleCluster& cluster, Duration time);

// A worker publishes at QoS 1 what a subscriber on each other node wants.
struct Fan {
  bool is_done = false;
  uint64_t messages = 0;
  uint64_t batch = 0;  // messages in one turn of the worker
  Usage used{};
  Duration took{};  // of the last turn, until all have accepted
};
Fan fan_out(ScaleCluster& cluster, uint64_t messages, uint64_t batch, size_t payload);

// The first node is killed and comes back, without clients.
struct Return {
  bool is_done = false;
  size_t routers_bytes = 0;  // of its workers
  size_t hub_bytes = 0;
  Duration
      outage;  // after the crash, in which another might not acknowledge: the mean of the others
  Duration ready{};  // from its start until it is
  Usage used{};      // from its start until it was ready
  uint64_t routes = 0;
  Duration worker{};
};
Return come_back(ScaleCluster& cluster);

}  // namespace shoal::scale
