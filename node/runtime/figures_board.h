// What each worker last told of itself: written by the workers at every tick, read by whoever shows
// it, so that nobody who asks holds up a worker.
#pragma once

#include <array>
#include <deque>
#include <mutex>
#include <vector>

#include "node/broker/counters.h"
#include "node/runtime/loop_lag.h"

namespace shoal {

// What a worker's runtime counts itself.
struct WorkerFigures {
  uint64_t turns = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;          // by a limit on connections
  uint64_t failed_openings = 0;  // a PROXY header, TLS or WebSocket handshake that came to nothing
  uint64_t sockets_now = 0;
};

struct WorkerReport {
  BrokerCounters broker;
  WorkerFigures runtime;
  LoopLag lag;
};

// Any thread.
class FiguresBoard {
 public:
  explicit FiguresBoard(int workers) : reports_(static_cast<size_t>(workers)) {}

  void show(int worker, const WorkerReport& report);
  std::vector<WorkerReport> all() const;

 private:
  struct Place {
    mutable std::mutex mutex;
    WorkerReport report;
  };
  std::deque<Place> reports_;
};

}  // namespace shoal
