// A replica with its disk: the ShardServer over the state that is there, copies of the state for
// replicas that are too far behind for the log, and copies that take the place of the own.
// Whoever drives it gives it the disk; else it does no I/O. One thread.
//
// A turn: any number of on_… calls, then end_turn(). What was applied is committed to the disk before
// anything of it leaves.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "cluster/replica/backup_parts.h"
#include "cluster/replica/shard_server.h"
#include "cluster/replica/to_server.h"
#include "cluster/shard/shard_disk.h"

namespace shoal::replica {

struct HostEffects {
  ServerEffects server;
  uint64_t term = 0;  // of the leadership that `server` speaks for

  struct Begun {
    NodeId to;
    uint64_t stream = 0;
    raft::Index index = 0;  // the copy is of the state as of it; 0: none can be made
  };
  struct Portion {
    NodeId to;
    proto::CopyPortion message;
  };
  struct Acked {
    NodeId to;
    proto::CopyAck message;
  };
  struct Done {
    NodeId to;
    uint64_t stream = 0;
  };
  std::vector<Begun> begun;
  std::vector<Portion> portions;
  std::vector<Acked> acks;
  std::vector<Done> done;  // all of a copy is there
  std::vector<BackupParts::Told> backup_told;
  // Of the state, for people.
  struct Figures {
    uint64_t applied = 0;
    uint64_t sessions = 0;
    uint64_t attached = 0;
    uint64_t expired = 0;
    uint64_t queued = 0;  // messages that wait for sessions
    uint64_t bytes = 0;   // of all messages
    uint32_t outbox = 0;
    bool operator==(const Figures&) const = default;
  };
  Figures figures;
  // A copy from elsewhere is here, whole.
  struct Staged {
    NodeId from;
    uint64_t stream = 0;
    raft::Index index = 0;
    bool operator==(const Staged&) const = default;
  };
  std::optional<Staged> staged;
  bool is_installed = false;  // it is the state now

  bool empty() const {
    return server.empty() && begun.empty() && portions.empty() && acks.empty() && done.empty() &&
           backup_told.empty() && !staged && !is_installed;
  }
};

proto::CopyAck answer_to(const proto::CopyPortion& portion, bool refused);

class ShardHost {
 public:
  ShardHost(const ShardServer::Options& options, shard::ShardDisk& disk);

  void on(ToServer&& mail, Now now);
  void on_tick(Now now);
  HostEffects end_turn();

  const ShardServer& server() const { return *server_; }
  // The index that is applied and committed to the disk.
  raft::Index committed() const { return committed_; }
  // The first error of the disk: from then on nothing leaves.
  const absl::Status& status() const { return status_; }

 private:
  struct Outgoing {
    uint64_t stream = 0;
    std::unique_ptr<shard::StateReader> reader;
    raft::Index index = 0;
    uint64_t number = 0;  // portions that were acknowledged
    std::string after;    // the last key of them
    std::string sent;     // the last key of the portion on its way
    bool is_last = false;
    bool waits = false;  // until more may be sent
    uint64_t first_stream = 0;
    bool resumes = false;  // until a portion is sent in this stream
    Instant moved{};       // when it came further last, or its session ended
  };
  struct Incoming {
    NodeId from;
    uint64_t stream = 0;
    uint64_t first_stream = 0;
    uint64_t number = 0;  // of the last portion
    raft::Index index = 0;
    bool is_whole = false;
    std::unique_ptr<shard::StateInstall> install;
    Instant moved{};
  };

  void open();
  void commit();
  bool is_commit_due() const;
  bool check(absl::Status status);
  void on_copy(CopyWanted& mail, Now now);
  void on_copy(CopyAcked& mail, Now now);
  void on_copy(CopyCame& mail, Now now);
  bool take(NodeId from, const proto::CopyPortion& portion);
  void on_copy(InstallCopy& mail);
  void forget();
  void on_backup(const BackupAsked& mail);
  void on_lost(const PeerLost& mail, Now now);
  void send_portion(NodeId to, Outgoing& outgoing);
  void send_waiting(Now now);
  void drop_abandoned(Now now);

  const ShardServer::Options options_;
  shard::ShardDisk& disk_;
  std::unique_ptr<shard::ShardKeys> keys_;
  std::unique_ptr<ShardServer> server_;
  raft::Index committed_ = 0;
  uint32_t ticks_ = 0;
  bool is_commit_tick_ = false;
  std::map<NodeId, NodeHere> here_;  // for a server that takes this one's place
  std::map<NodeId, NodeGone> gone_;
  std::map<NodeId, Outgoing> outgoing_;
  int64_t copy_budget_ = 0;  // bytes that may be sent; below 0: the last portion was larger
  Instant budgeted_{};       // as of when
  std::optional<Incoming> incoming_;
  BackupParts backups_;
  HostEffects effects_;
  absl::Status status_;
};

}  // namespace shoal::replica
