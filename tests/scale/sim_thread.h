// A thread of a node under the virtual clock: it works off what was posted to it some time after it came.
// If its work is to take time, it is busy for as long as this really took the processor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "tests/sim/world.h"

namespace shoal::scale {

class SimThread {
 public:
  struct Turn {
    std::function<void()> end;                // after its tasks, as a part of the work
    std::function<void(Instant done)> carry;  // what came of it, when it is done
  };
  // `slowness`: so long is it busy for each second of the processor's time; 0: not at all.
  SimThread(sim::World& world, double slowness, Turn turn)
      : world_(world), slowness_(slowness), turn_(std::move(turn)) {}
  SimThread(const SimThread&) = delete;
  SimThread& operator=(const SimThread&) = delete;

  void post(std::function<void()> task);
  // Forgets what was posted.
  void stop();
  Duration worked() const { return worked_; }

 private:
  void schedule();
  void run();

  sim::World& world_;
  const double slowness_;
  const Turn turn_;
  std::deque<std::function<void()>> inbox_;
  bool is_scheduled_ = false;
  uint64_t life_ = 0;
  Instant free_at_{};
  Duration worked_{};
};

}  // namespace shoal::scale
