#include "cluster/engine/store_engine.h"

#include <utility>

#include "cluster/engine/log_records.h"
#include "shoal/assert.h"

namespace shoal::engine {

// What the groups read back, on their own thread.
class StoreEngine::Log : public raft::LogReader {
 public:
  Log(storage::LogStore& store, StoreSink& sink) : store_(store), sink_(sink) {}

  void read(raft::GroupId group, raft::Index first, raft::Index last, size_t bytes_max,
            std::vector<raft::Entry>& out) override {
    entries_.clear();
    const absl::Status read = store_.read(log_group_of(group), first, last, bytes_max, entries_);
    if (!read.ok()) return sink_.on_store_failed(std::string(read.message()));
    for (storage::LogEntry& each : entries_) out.push_back(entry_of(std::move(each)));
  }

 private:
  storage::LogStore& store_;
  StoreSink& sink_;
  std::vector<storage::LogEntry> entries_;
};

StoreEngine::StoreEngine(const EngineOptions& options, StoreSink& sink)
    : options_(options), sink_(sink) {
  SHOAL_ASSERT(options.clock != nullptr && options.shard_threads >= 1);
}

StoreEngine::~StoreEngine() { stop(); }

void StoreEngine::open(StorePlan plan) {
  SHOAL_ASSERT(!log_thread_.joinable());
  log_thread_ = std::thread([this, plan = std::move(plan)] { run(plan); });
}

void StoreEngine::run(const StorePlan& plan) {
  absl::StatusOr<OpenStore> opened = open_store(options_.stores, plan);
  if (!opened.ok()) return sink_.on_store_failed(std::string(opened.status().message()));
  absl::StatusOr<StoredRetained> retained = load_retained(*opened->retained, options_.clock());
  if (!retained.ok()) return sink_.on_store_failed(std::string(retained.status().message()));
  if (!start(*std::move(opened), plan)) return;
  sink_.on_store_open(std::move(store_.replicas), *std::move(retained), *log_);
  writer_->run();
}

// False: stop() was faster.
bool StoreEngine::start(OpenStore opened, const StorePlan& plan) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_) return false;
  store_ = std::move(opened);
  log_ = std::make_unique<Log>(*store_.log, sink_);
  writer_ = std::make_unique<LogWriter>(*store_.log, std::move(store_.groups), sink_);
  flusher_ = std::make_unique<StateFlusher>(*store_.state, options_.flush, sink_);
  flush_thread_ = std::thread([this] { flusher_->run(); });
  const auto make = [this, plan](uint32_t shard) {
    return make_replica(options_.stores, plan, *store_.state, shard);
  };
  shards_ = std::make_unique<ShardThreads>(std::move(store_.hosts), options_.shard_threads,
                                           options_.clock, make, *flusher_, sink_);
  retained_ = std::make_unique<RetainedWriter>(*store_.retained, sink_);
  return true;
}

void StoreEngine::carry_out(replica::StoreEffects& effects) {
  if (!sink_.has_failed()) {
    writer_->post(effects.raft.persists, effects.raft.cuts);
    shards_->post(effects.servers);
  }
  effects.raft.persists.clear();
  effects.raft.cuts.clear();
  effects.servers.clear();
}

void StoreEngine::write(std::vector<HubEffects::RetainedWrite>& retained) {
  if (!sink_.has_failed()) retained_->post(retained);
  retained.clear();
}

void StoreEngine::look(const ShardThreads::Look& look, std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  if (!shards_ || is_stopping_) return done();
  shards_->look(look, std::move(done));
}

void StoreEngine::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    if (writer_) writer_->stop();
  }
  if (log_thread_.joinable()) log_thread_.join();
  if (shards_) shards_->stop();
  if (retained_) retained_->stop();
  if (flusher_) flusher_->stop();
  if (flush_thread_.joinable()) flush_thread_.join();
}

}  // namespace shoal::engine
