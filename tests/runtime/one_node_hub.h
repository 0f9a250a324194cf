// The hub of a node without peers, answering on the spot: enough for workers to serve clients.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "node/runtime/worker.h"

namespace shoal {

class OneNodeHub final : public HubInbox {
 public:
  // Before the workers start.
  void connect(const std::vector<std::unique_ptr<Worker>>& workers);
  bool post(WorkerIndex from, std::vector<ToHub>& mails) override;

 private:
  struct Unsynced {
    WorkerIndex worker = 0;
    uint64_t number = 0;     // of the worker's RouteBatch
    size_t waiting_for = 0;  // other workers that have yet to apply it
  };

  void on(WorkerIndex from, RouteBatch& mail);
  void on(WorkerIndex from, RoutesApplied& mail);
  void on(WorkerIndex from, ClaimRequest& mail);
  void on(WorkerIndex from, RetainWrite& mail);
  void on(WorkerIndex from, RetainedQuery& mail);
  void on(WorkerIndex from, ToStore& mail);
  template <class Other>
  void on(WorkerIndex, Other&) {}
  void send(WorkerIndex to, ToWorker mail) { (*workers_)[to]->post(std::move(mail)); }

  std::mutex mutex_;
  const std::vector<std::unique_ptr<Worker>>* workers_ = nullptr;
  uint64_t last_update_ = 0;
  uint64_t last_stamp_ = 0;
  std::map<uint64_t, Unsynced> unsynced_;  // by the number of the update
};

}  // namespace shoal
