// The cluster's logic of one node, without I/O: mail of the workers, frames of peers, links that
// come and go, ticks and completed writes go in; mail, frames, dials and writes come out. It reads
// no clock, opens nothing and starts no thread. docs/architecture.md, "The hub", tells the
// protocol.
//
// One thread at a time. After each call the caller carries out effects() and clears them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cluster/core/hub_effects.h"
#include "cluster/core/hub_status.h"
#include "cluster/core/stored_state.h"
#include "cluster/core/wire.h"
#include "node/rules/retained_tree.h"
#include "shoal/limits.h"
#include "shoal/peers.h"
#include "shoal/protocol.h"
#include "shoal/types.h"

namespace shoal {

namespace raft {
class LogReader;
struct Recovered;
}  // namespace raft
namespace replica {
struct HostEffects;
struct StoreEffects;
}  // namespace replica

struct HubConfig {
  Limits limits;
  std::string node_name;
  std::string advertise;          // HOST:PORT by which the others reach this node
  std::vector<std::string> join;  // seeds
  int expect = 0;                 // 0: not given: 1 without seeds, with seeds never founds
  int workers = 1;                // 1 to kWorkersMax
  uint32_t protocol_min = kProtocolMin;
  uint32_t protocol_max = kProtocolMax;  // at least the level of the cluster that is stored
  std::string software;                  // version of the program, for people
  std::string zone;
  uint32_t weight = 1;
  // A member that is away for so long is replaced, if enough others are there.
  Duration replace_after = Duration::seconds(600);
  // Of a cluster that this node founds. 0: it has no store, for tests of what needs none.
  uint32_t shards = 0;
  uint32_t replicas = 3;
};

// The retained messages as the disk has them.
struct StoredRetained {
  struct Item {
    MessageRef message;
    Stamp stamp;
  };
  std::vector<Item> items;
  int64_t as_of_ms = 0;  // complete as of this time of the wall clock; 0: never
};

// A replica as the log on disk has it.
struct StoredReplica {
  raft::GroupId group;
  std::shared_ptr<const raft::Recovered> recovered;
};

// Commands of `shoal ctl`, and of a node that is to stop; each ends in one HubEffects::Answer.
struct DrainCommand {
  uint32_t per_second = 0;   // clients to close a second; 0 ends the draining
  bool is_for_good = false;  // a LeaveCommand follows
};
struct LeaveCommand {};
// This node's replicas move to others, or, withdrawn, may be here. Answered at once, also where there are
// too few others for it: HubStatus tells how far it is.
struct MoveAwayCommand {
  bool is_withdrawn = false;
};
struct RemoveCommand {
  // NodeId in hexadecimal, or a name: of several that have it, the one that is away.
  std::string node;
};
// The node is to stop: it gives the shards that it leads to others, and leads none any more. Answered
// when that is so, or after a second.
struct HandOverCommand {};
// It has no clients any more: the others need not wait until they miss it. Answered when those that
// are there know it, or soon.
struct GoodbyeCommand {};
// A backup that is read from this node (backing_up.h). Answered when the cut of all shards is made; then
// Hub::backup() tells of it.
struct BeginBackupCommand {};
// Answered by the portion's bytes: a proto::BackupPortion.
struct ReadBackupCommand {
  uint64_t backup = 0;
  uint64_t number = 0;
};
struct EndBackupCommand {
  uint64_t backup = 0;
};
using HubCommand =
    std::variant<DrainCommand, LeaveCommand, MoveAwayCommand, RemoveCommand, HandOverCommand,
                 GoodbyeCommand, BeginBackupCommand, ReadBackupCommand, EndBackupCommand>;

class HubCore;

class Hub {
 public:
  // `stored.incarnation` is above that of any earlier start with this data directory.
  Hub(HubConfig config, StoredState stored, uint64_t seed);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  void on_start(Now now);
  static constexpr Duration kTick = Duration::millis(50);
  void on_tick(Now now);

  void on_worker(WorkerIndex from, ToHub&& mail, Now now);

  // A dialled link is there, or somebody has dialled (then `address` is only for people). Comes
  // before the link's first frame.
  void on_link_up(LinkId link, bool dialled_by_us, std::string address, Now now);
  // The link broke, or could not be made. Not for one that the hub closed.
  void on_link_down(LinkId link, std::string why, Now now);
  // `frame` is valid until this returns. A link that is not up any more is ignored.
  void on_frame(LinkId link, Lane lane, std::span<const uint8_t> frame, Now now);

  // A HubEffects::Store is durable.
  void on_stored(uint64_t token, Now now);

  // ---- the store: what a StoreEngine's disks and threads say (docs/store.md)
  // Answers HubEffects::open_store: every group that the log has. `log` outlives the hub.
  void on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                     raft::LogReader& log, Now now);
  void on_host(uint32_t shard, replica::HostEffects&& effects, Now now);
  void on_persisted(raft::GroupId group, uint64_t number, Now now);
  void on_flushed(uint32_t shard, uint64_t index, Now now);
  // All HubEffects::retained_writes up to this number are durable.
  void on_retained_written(uint64_t number, Now now);
  // After some events: what of the store is to be done. The caller carries out its `servers`,
  // `raft.persists` and `raft.cuts` and clears it; the hub has taken the rest. Null: none is open.
  replica::StoreEffects* end_turn(Now now);

  void on_command(uint64_t token, const HubCommand& command, Now now);
  // Every second or so, for the tables of all nodes.
  void on_figures(const OwnFigures& figures);

  HubEffects& effects();
  HubStatus status(Now now) const;
  // None: no backup is read from here, or it is lost.
  std::optional<BackupStatus> backup() const;
  // The next retained messages for a plain filter behind the topic `after`, as this node has them.
  RetainedTree::Portion retained(std::string_view filter, std::string_view after, Now now);
  // Walks everything: for tests and the simulator.
  void check_invariants() const;
  // A digest of all routes as this hub knows them, its own and the others', the same on every node
  // when they agree. For tests and the simulator.
  uint64_t routes_digest() const;
  uint64_t retained_digest() const;

 private:
  std::unique_ptr<HubCore> core_;
};

}  // namespace shoal
