// The disks and threads under a node's hub: the log store and the state store of its data directory,
// the log's writer, the replicas' threads, the flushing. What is durable, applied or flushed is told
// to a StoreSink; the caller never waits for a disk (but LogReader, which reads back what the log
// wrote before).
//
//   hub ── persists, cuts ──▶ LogWriter ──────────────▶ log/     persisted
//   hub ── servers ─────────▶ ShardThreads ─ commit ─┐           hosts
//                                StateFlusher ─ flush ─▶ shards/  flushed
//   hub ── retained ────────▶ RetainedWriter ─────────▶ retained/ written
//
// The first error of any of these ends it all: the sink hears of it and of nothing more, so nothing is
// acknowledged that the disks may not have.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "cluster/core/store_plan.h"
#include "cluster/engine/opening.h"
#include "cluster/engine/retained_writer.h"
#include "cluster/engine/state_flusher.h"
#include "cluster/engine/store_sink.h"
#include "cluster/replica/store.h"

namespace shoal::engine {

struct EngineOptions {
  OpeningOptions stores;
  int shard_threads = 1;
  FlushPace flush;
  ShardThreads::Clock clock = nullptr;
};

class StoreEngine {
 public:
  // The sink outlives this.
  StoreEngine(const EngineOptions& options, StoreSink& sink);
  ~StoreEngine();
  StoreEngine(const StoreEngine&) = delete;
  StoreEngine& operator=(const StoreEngine&) = delete;

  // ---- one thread at a time

  // Once; answered by on_store_open() or on_store_failed().
  void open(StorePlan plan);
  // Carries out `servers`, `raft.persists` and `raft.cuts`, and clears them; after on_store_open().
  void carry_out(replica::StoreEffects& effects);
  void write(std::vector<HubEffects::RetainedWrite>& retained);
  // Before the stores are open there is nothing to look at. After stop() `done` may not be called.
  void look(const ShardThreads::Look& look, std::function<void()> done);
  // The threads end, and the sink hears nothing more. What is under way is left as at a crash.
  void stop();

 private:
  class Log;

  void run(const StorePlan& plan);
  bool start(OpenStore opened, const StorePlan& plan);

  const EngineOptions options_;
  FailureGate sink_;
  OpenStore store_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<StateFlusher> flusher_;
  std::unique_ptr<ShardThreads> shards_;
  std::unique_ptr<RetainedWriter> retained_;
  std::mutex mutex_;  // of what follows, and of what is made by open() until that is answered
  bool is_stopping_ = false;
  std::thread log_thread_;
  std::thread flush_thread_;
};

}  // namespace shoal::engine
