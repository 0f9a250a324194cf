// One answer from what every worker says.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "node/runtime/worker.h"

namespace shoal {

// Gathers what each worker says, and answers when the last has.
template <class Part>
class Gathering {
 public:
  using Done = std::function<void(std::vector<Part>)>;

  // `part` runs on each worker's thread, `done` on that of the last one.
  static void start(const std::vector<std::unique_ptr<Worker>>& workers,
                    std::function<Part(Worker&)> part, Done done) {
    auto self = std::make_shared<Gathering>();
    self->parts_.resize(workers.size());
    self->left_ = workers.size();
    self->done_ = std::move(done);
    for (size_t i = 0; i < workers.size(); ++i) {
      workers[i]->post(WorkerTask([self, part, i](Worker& worker) {
        self->parts_[i] = part(worker);
        if (--self->left_ == 0) self->done_(std::move(self->parts_));
      }));
    }
  }

 private:
  std::vector<Part> parts_;
  std::atomic<size_t> left_{0};
  Done done_;
};

}  // namespace shoal
