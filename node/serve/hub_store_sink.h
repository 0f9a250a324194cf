// Brings what the store's disks and threads say to the hub, on its thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/engine/store_sink.h"
#include "node/serve/hub_thread.h"

namespace shoal {

class HubStoreSink final : public engine::StoreSink {
 public:
  // `failed` is called on any thread; the hub outlives this.
  HubStoreSink(HubThread& hub, std::function<void(std::string)> failed)
      : hub_(hub), failed_(std::move(failed)) {}

  void on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                     raft::LogReader& log) override;
  void on_store_failed(std::string why) override { failed_(std::move(why)); }
  void on_hosts(std::vector<Host> hosts) override;
  void on_persisted(std::vector<Persisted> persisted) override;
  void on_flushed(std::vector<Flushed> flushed) override;
  void on_retained_written(uint64_t number) override;

 private:
  HubThread& hub_;
  const std::function<void(std::string)> failed_;
};

}  // namespace shoal
