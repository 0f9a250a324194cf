#include "tests/runtime/one_node_hub.h"

namespace shoal {

void OneNodeHub::connect(const std::vector<std::unique_ptr<Worker>>& workers) {
  workers_ = &workers;
  for (size_t i = 0; i < workers.size(); ++i) {
    send(static_cast<WorkerIndex>(i), AckUntil{Instant::never()});
  }
}

bool OneNodeHub::post(WorkerIndex from, std::vector<ToHub>& mails) {
  const std::lock_guard lock(mutex_);
  for (ToHub& mail : mails) {
    std::visit([&](auto& each) { on(from, each); }, mail);
  }
  mails.clear();
  return true;
}

void OneNodeHub::on(WorkerIndex from, RouteBatch& mail) {
  if (workers_->size() == 1) return send(from, RoutesSynced{mail.number});
  RouteUpdate update{++last_update_, {}};
  for (const RouteChange& change : mail.changes) update.routes.push_back({{kSelf, from}, change});
  unsynced_[update.number] = {from, mail.number, workers_->size() - 1};
  for (size_t i = 0; i < workers_->size(); ++i) {
    if (i != from) send(static_cast<WorkerIndex>(i), update);
  }
}

void OneNodeHub::on(WorkerIndex, RoutesApplied& mail) {
  Unsynced& unsynced = unsynced_[mail.number];
  if (--unsynced.waiting_for == 0) send(unsynced.worker, RoutesSynced{unsynced.number});
}

void OneNodeHub::on(WorkerIndex from, ClaimRequest& mail) {
  ClaimAnswer answer;
  answer.conn = mail.conn;
  answer.client_id = mail.client_id;
  answer.stamp.counter = ++last_stamp_;
  send(from, std::move(answer));
}

void OneNodeHub::on(WorkerIndex from, RetainWrite& mail) { send(from, RetainDone{mail.number}); }

void OneNodeHub::on(WorkerIndex from, RetainedQuery& mail) {
  send(from, RetainedPortion{mail.query, {}, true});
}

// Nothing is ever stored.
void OneNodeHub::on(WorkerIndex from, ToStore& mail) {
  const auto* const connect = std::get_if<SessionConnect>(&mail);
  if (!connect) return;
  SessionAttached answer;
  answer.conn = connect->conn;
  answer.client_id = connect->client_id;
  send(from, FromStore(std::move(answer)));
}

}  // namespace shoal
