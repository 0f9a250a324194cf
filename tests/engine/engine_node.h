// A node's Store on real disks and threads, driven by the thread that calls: what workers would say is
// said by tests.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/engine/inbox.h"
#include "cluster/engine/store_engine.h"
#include "cluster/replica/store.h"
#include "shoal/session_store.h"

namespace shoal::engine::test {

using replica::Store;
using replica::StoreEffects;

struct NodeOptions {
  std::string directory;
  uint64_t id = 1;
  uint64_t incarnation = 1;
  uint32_t shards = 2;
  int nodes = 1;  // that are voters: 1, 2, ...
  bool found = true;
  unsigned trailing = 4096;
  EngineOptions engine;
};

class EngineNode : private StoreSink {
 public:
  explicit EngineNode(NodeOptions options);  // makes the directory, and begins to open
  ~EngineNode() override { engine_.stop(); }

  // Works off what came, waiting so long for it.
  void turn(Duration wait);
  // Turns until it is so, for so long; false: it is not, or the store failed.
  bool run_until(const std::function<bool()>& is_done, Duration at_most = Duration::seconds(20));
  bool run_until_ready() {
    return run_until([this] { return store_ != nullptr && store_->is_ready(); });
  }
  void run_for(Duration time) {
    run_until([] { return false; }, time);
  }

  // A turn of this node; of all, where there are more.
  std::function<void()> turn_all = [this] { turn(Duration::millis(10)); };

  void ask(ToStore mail);
  // What the worker gets.
  std::function<void(FromStore&&)> on_mail = [](FromStore&&) {};
  // Peers; without it there are none.
  std::function<void(StoreEffects::Frame&&)> on_frame = [](StoreEffects::Frame&&) {};

  NodeId id() const { return {options_.id}; }
  uint32_t shards() const { return options_.shards; }
  uint64_t incarnation() const { return options_.incarnation; }
  Store& store() { return *store_; }
  bool is_open() const { return store_ != nullptr; }
  const std::string& failure() const { return failure_; }  // empty: none
  int failures() const { return failures_; }
  int flushes() const { return flushes_; }
  int installed() const { return installed_; }
  uint64_t persisted() const { return persisted_; }  // reports of the writer: syncs
  raft::Index applied(uint32_t shard) const { return store_->groups().find(shard)->applied(); }

 private:
  struct Open {
    std::vector<StoredReplica> replicas;
    raft::LogReader* log;
  };
  using Event = std::variant<Open, std::string, std::vector<Host>, std::vector<Persisted>,
                             std::vector<Flushed>>;

  void on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                     raft::LogReader& log) override;
  void on_retained_written(uint64_t) override {}
  void on_store_failed(std::string why) override;
  void on_hosts(std::vector<Host> hosts) override;
  void on_persisted(std::vector<Persisted> persisted) override;
  void on_flushed(std::vector<Flushed> flushed) override;
  void post(Event event);

  void on(Open& event);
  void on(std::string& why);
  void on(std::vector<Host>& hosts);
  void on(std::vector<Persisted>& persisted);
  void on(std::vector<Flushed>& flushed);
  void carry_out();

  const NodeOptions options_;
  Inbox<Event> inbox_;
  std::vector<Event> events_;
  std::unique_ptr<Store> store_;
  uint64_t told_ = 0;
  std::string failure_;
  int failures_ = 0;
  int flushes_ = 0;
  int installed_ = 0;
  uint64_t persisted_ = 0;
  Instant next_tick_{};
  StoreEngine engine_;
};

Now clock_now();

}  // namespace shoal::engine::test
