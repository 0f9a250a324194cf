#include "node/serve/hub_store_sink.h"

#include <utility>

#include "node/runtime/clock.h"

namespace shoal {

void HubStoreSink::on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                                 raft::LogReader& log) {
  hub_.run_task([replicas = std::move(replicas), retained = std::move(retained),
                 &log](HubThread& self) mutable {
    self.hub().on_store_open(std::move(replicas), std::move(retained), log, now());
  });
}

void HubStoreSink::on_retained_written(uint64_t number) {
  hub_.run_task([number](HubThread& self) { self.hub().on_retained_written(number, now()); });
}

void HubStoreSink::on_hosts(std::vector<Host> hosts) {
  hub_.run_task([hosts = std::move(hosts)](HubThread& self) mutable {
    for (Host& each : hosts) self.hub().on_host(each.shard, std::move(each.effects), now());
  });
}

void HubStoreSink::on_persisted(std::vector<Persisted> persisted) {
  hub_.run_task([persisted = std::move(persisted)](HubThread& self) {
    for (const Persisted& each : persisted) {
      self.hub().on_persisted(each.group, each.number, now());
    }
  });
}

void HubStoreSink::on_flushed(std::vector<Flushed> flushed) {
  hub_.run_task([flushed = std::move(flushed)](HubThread& self) {
    for (const Flushed& each : flushed) self.hub().on_flushed(each.shard, each.index, now());
  });
}

}  // namespace shoal
