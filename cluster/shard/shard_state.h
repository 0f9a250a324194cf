// The state machine of one shard: durable sessions with their queues, shared subscriptions with
// durable members, the outbox. A pure function of its state and the entries of
// the shard's log: replicas that applied the same entries hold the same keys, whatever they were
// restarted or copied from in between. docs/decisions/0001-durable-sessions.md tells the whole.
//
// The state is in a KeyValues. Beside it stand in memory, made from the keys when this is made: the
// router and open replays.
//
// One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/shard/effects.h"
#include "cluster/shard/entry.h"
#include "cluster/shard/key_values.h"
#include "cluster/shard/queue.h"
#include "cluster/shard/records.h"

namespace shoal::shard {

enum class Applied : uint8_t {
  kApplied,
  kAlready,  // the state holds this index
  kTooNew,   // the cluster's level is above this program's: nothing was changed, and no later entry
             // is applied
};

// A message for an attached session, as the leader gives it to the node.
struct Delivery {
  uint64_t number = 0;
  Qos qos = Qos::k1;
  bool retain = false;
  bool dup = false;       // possibly sent on an earlier connection
  bool released = false;  // a PUBREL is to be sent instead; there is no message
  std::vector<uint32_t> identifiers;
  Body message;
  BodyId body = 0;
};

struct OutboxMessage {
  uint64_t number = 0;
  OutboxRecord record;
  std::optional<Body> message;
};

struct AttachedSession {
  std::string client_id;
  OpPlace epoch = 0;
};

struct OpenReplay {
  std::string client_id;
  std::string filter;
  bool operator==(const OpenReplay&) const = default;
};

class ShardState {
 public:
  struct Options {
    uint64_t cluster_seed = 0;  // the same on all replicas: cluster_seed_of()
    uint64_t router_seed = 0;   // of this process
  };
  struct PortionLimits {
    size_t items = 100;
    size_t bytes = 256 * 1024;  // one item at least
  };

  // Limits of a shard until its log says others.
  static ShardLimits default_limits();

  // Reads from `values`, which outlives this, what it keeps in memory.
  ShardState(const Options& options, KeyValues& values);
  ~ShardState();
  ShardState(const ShardState&) = delete;
  ShardState& operator=(const ShardState&) = delete;

  Applied apply(uint64_t index, std::string_view entry, Effects& effects);

  uint64_t applied() const;
  // Over all that the state is, as of applied(): replicas compare it at an index.
  uint64_t hash() const;
  const MetaRecord& meta() const;
  // The stamp from which on a Tick has something to do; UINT64_MAX: none.
  uint64_t next_due() const;

  // ---- for the leader

  std::optional<SessionRecord> session(std::string_view client_id) const;
  std::optional<SubscriptionRecord> subscription(std::string_view client_id,
                                                 std::string_view filter) const;
  std::vector<std::string> subscriptions(std::string_view client_id) const;
  // Identifiers of QoS 2 PUBLISHs that are not released.
  std::vector<uint16_t> received(std::string_view client_id) const;
  // Unfinished messages that may be sent, from number `from` on.
  std::vector<Delivery> deliveries(std::string_view client_id, uint64_t from,
                                   const PortionLimits& limits) const;
  bool has_received(std::string_view client_id, uint16_t packet_id) const;
  // Items behind `after`.
  std::vector<OutboxMessage> outbox(uint64_t after, const PortionLimits& limits) const;
  bool is_in_outbox(uint64_t number) const;
  // Of a body's payload; at a multiple of Pieces::each. Empty: the body is gone.
  std::string piece(BodyId id, uint64_t offset) const;
  // A payload that nobody goes on with, of an incarnation of this node before this one.
  bool has_uploads(NodeId node, uint64_t before) const;
  uint64_t source_mark(NodeId node, WorkerIndex worker, uint64_t incarnation) const;
  // All sessions, as long as `each` says so. Reads the disk.
  using EachSession = std::function<bool(std::string_view client_id, const SessionRecord&)>;
  void for_each_session(const EachSession& each) const;
  // Attached to this node in an incarnation of it before this one.
  std::vector<AttachedSession> attached(NodeId node, uint64_t before) const;
  std::vector<OpenReplay> replays() const;
  std::optional<ReplayRecord> replay(std::string_view client_id, std::string_view filter) const;
  // Shared subscriptions of this shard, and their members.
  std::vector<std::string> groups() const;
  std::optional<GroupRecord> group(std::string_view group) const;
  std::optional<MemberRecord> member(std::string_view group, std::string_view client_id) const;
  // What publishes are to be sent here for.
  std::vector<Effects::RouteChange> routes() const;

  // Walks everything: for tests, and for a copy that was installed.
  uint64_t hash_anew() const;
  void check_invariants() const;

 private:
  struct Core;
  struct Inspection;
  std::unique_ptr<Core> core_;
};

}  // namespace shoal::shard
