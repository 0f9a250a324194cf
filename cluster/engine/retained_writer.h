// The thread that makes retained messages durable: all that wait with one write and one sync.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include <absl/status/statusor.h>

#include "cluster/core/hub.h"
#include "cluster/engine/inbox.h"
#include "cluster/engine/store_sink.h"
#include "cluster/storage/retained_store.h"

namespace shoal::engine {

// What the store holds; expired messages too. `now`: of the clocks that their expiry is for.
absl::StatusOr<StoredRetained> load_retained(storage::RetainedStore& store, Now now);

class RetainedWriter {
 public:
  // Starts the thread. Both outlive this.
  RetainedWriter(storage::RetainedStore& store, StoreSink& sink);
  ~RetainedWriter();

  // One thread. Takes all.
  void post(std::vector<HubEffects::RetainedWrite>& writes) { inbox_.post_all(writes); }
  void stop();

 private:
  void run();

  storage::RetainedStore& store_;
  StoreSink& sink_;
  Inbox<HubEffects::RetainedWrite> inbox_;
  std::thread thread_;
};

}  // namespace shoal::engine
