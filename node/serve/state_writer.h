// Writes the hub's state into the data directory on a thread of its own: an fsync takes milliseconds,
// on a bad day seconds.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cluster/core/stored_state.h"
#include "node/config/log.h"
#include "node/runtime/data_dir.h"

namespace shoal {

class StateWriter {
 public:
  static constexpr char kFile[] = "state";
  // Is there as long as a restore has not written all (node/restore).
  static constexpr char kRestoringFile[] = "restoring";

  // `written` is called on the writer's thread, for each token. All outlive the writer.
  StateWriter(const DataDir& dir, Log& log, std::function<void(uint64_t)> written);
  ~StateWriter();  // what is not written yet is not written any more

  // Any thread. A state that is not written yet gives way to the next; both are reported. A write
  // that fails is tried again each second.
  void write(uint64_t token, StoredState state);

 private:
  void run();

  const DataDir& dir_;
  Log& log_;
  const std::function<void(uint64_t)> written_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::vector<uint64_t> tokens_;
  std::optional<StoredState> state_;
  std::thread thread_;
};

}  // namespace shoal
