// What the broker of one worker says to its hub, and answers, without sessions and clients' bytes: it
// announces routes, claims ids, forwards messages, and takes what comes as fast as its thread does.
// It holds the routes of all other places in a Router, as a broker does, or only answers for them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/rules/forward_batch.h"
#include "node/rules/router.h"
#include "shoal/peers.h"

namespace shoal::scale {

class ScaleWorker {
 public:
  struct Reports {
    std::function<void(uint64_t batch)> on_synced;
    std::function<void(const ClaimAnswer&)> on_claim;
  };
  ScaleWorker(WorkerIndex index, Reports reports) : index_(index), reports_(std::move(reports)) {}

  // ---- as a session here would have it do
  void change(std::string filter, RouteWeight weight);
  void claim(const std::string& client_id);
  // To worker `to` of every peer, one batch each.
  void forward(const std::vector<MessageRef>& messages, WorkerIndex to, Instant now);

  // ---- its thread
  void on_mail(ToWorker&& mail, Now now);
  // Its mail to the hub; what changed goes as one RouteBatch.
  std::vector<ToHub> end_turn();

  // ---- what is known
  uint64_t last_batch() const { return batch_; }
  uint64_t synced() const { return synced_; }
  Instant ack_until() const { return ack_until_; }
  uint64_t forwarded() const { return forwarded_; }  // numbered messages, each for each peer
  uint64_t accepted() const { return accepted_; }    // of these
  uint64_t received() const { return received_; }    // messages of others

  // Begins or ends with what it knows: nothing.
  void keep_routes(bool does);
  const Router* router() const { return router_.get(); }

 private:
  void take(const ForwardIn& mail, Instant now);

  const WorkerIndex index_;
  const Reports reports_;
  std::vector<ToHub> to_hub_;
  std::vector<RouteChange> changes_;
  std::map<NodeSlot, ForwardBatchWriter> lanes_;  // of peers that are up
  std::unique_ptr<Router> router_;
  uint64_t batch_ = 0;
  uint64_t synced_ = 0;
  Instant ack_until_{};
  uint32_t connections_ = 0;
  uint64_t forwarded_ = 0;
  uint64_t accepted_ = 0;
  uint64_t received_ = 0;
};

}  // namespace shoal::scale
