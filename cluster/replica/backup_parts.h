// A replica's part in the cuts that nodes take for backups: the hold of its outbox while it leads, then the
// state as it was pinned, which stays its part of the cut whoever leads later. One for each node that
// takes a cut. Ends by itself when nothing is heard from that node.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "cluster/raft/types.h"
#include "cluster/shard/shard_disk.h"
#include "proto/shoal/store.pb.h"
#include "shoal/types.h"

namespace shoal::replica {

class ShardServer;

class BackupParts {
 public:
  struct Told {
    NodeId to;
    proto::BackupTold message;
  };
  struct Pinned {
    std::unique_ptr<shard::StateReader> reader;
    raft::Index index = 0;
  };
  using Pin = std::function<absl::StatusOr<Pinned>()>;

  // An error is the disk's.
  absl::Status on_ask(NodeId from, const proto::BackupAsk& ask, ShardServer& server,
                      const Pin& pin);
  void on_peer_lost(NodeId peer, ShardServer& server);
  void on_tick(ShardServer& server);
  // What was asked for may be done now.
  void on_turn(const ShardServer& server);
  // The state is another: what was pinned of the one before may not be there any more.
  void clear() { parts_.clear(); }

  std::vector<Told> take_told() { return std::exchange(told_, {}); }

 private:
  struct Part {
    uint32_t shard = 0;
    uint64_t cut = 0;
    uint64_t term = 0;
    std::optional<uint64_t> barrier;  // the entry that its release waits for
    Pinned pinned;
    uint64_t number = 0;  // of the last portion
    std::string after;
    int ticks = 0;  // since it was asked anything
  };
  using Parts = std::map<NodeId, Part>;

  void hold(NodeId from, const proto::BackupAsk& ask, ShardServer& server);
  void release(Parts::iterator at, const proto::BackupAsk& ask, ShardServer& server);
  absl::Status send_portion(NodeId to, Part& part, const proto::BackupAsk& ask);
  void refuse(NodeId to, const proto::BackupAsk& ask, std::string why);
  Parts::iterator drop(Parts::iterator at, ShardServer& server);

  Parts parts_;
  std::vector<Told> told_;
};

}  // namespace shoal::replica
