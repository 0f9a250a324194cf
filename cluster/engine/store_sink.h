// Who hears of the disks: the thread of the hub, in a node.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/hub.h"
#include "cluster/raft/group_log.h"
#include "cluster/replica/shard_host.h"

namespace shoal::engine {

// Called on the engine's threads: an implementation hands on to its own and returns.
class StoreSink {
 public:
  struct Host {
    uint32_t shard = 0;
    replica::HostEffects effects;
  };
  // Everything of the group up to this number is durable.
  struct Persisted {
    raft::GroupId group;
    uint64_t number = 0;
  };
  // The shard's state is durable as of this index.
  struct Flushed {
    uint32_t shard = 0;
    raft::Index index = 0;
  };

  virtual ~StoreSink() = default;
  // All groups of the log. `log` is there as long as the engine.
  virtual void on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                             raft::LogReader& log) = 0;
  // Once, and nothing after it: what failed, where, and why, in words for people. The node must end.
  virtual void on_store_failed(std::string why) = 0;
  virtual void on_hosts(std::vector<Host> hosts) = 0;
  virtual void on_persisted(std::vector<Persisted> persisted) = 0;
  virtual void on_flushed(std::vector<Flushed> flushed) = 0;
  // Up to this number.
  virtual void on_retained_written(uint64_t number) = 0;
};

// Lets nothing pass behind the first failure, whichever thread meets it.
class FailureGate final : public StoreSink {
 public:
  explicit FailureGate(StoreSink& sink) : sink_(sink) {}
  bool has_failed() const { return has_failed_; }

  void on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                     raft::LogReader& log) override {
    if (!has_failed_) sink_.on_store_open(std::move(replicas), std::move(retained), log);
  }
  void on_store_failed(std::string why) override {
    if (!has_failed_.exchange(true)) sink_.on_store_failed(std::move(why));
  }
  void on_hosts(std::vector<Host> hosts) override {
    if (!has_failed_) sink_.on_hosts(std::move(hosts));
  }
  void on_persisted(std::vector<Persisted> persisted) override {
    if (!has_failed_) sink_.on_persisted(std::move(persisted));
  }
  void on_flushed(std::vector<Flushed> flushed) override {
    if (!has_failed_) sink_.on_flushed(std::move(flushed));
  }
  void on_retained_written(uint64_t number) override {
    if (!has_failed_) sink_.on_retained_written(number);
  }

 private:
  StoreSink& sink_;
  std::atomic<bool> has_failed_ = false;
};

}  // namespace shoal::engine
